/**
 * Keyed stateless random numbers in the graph: the twin of `util/random.ts`, bit for bit. A key is
 * int32[2] and may be fed, so that a new step draws new numbers without compiling again; the same
 * key gives the same bits on every run, thread count and device. No gradient flows through a draw.
 */
import { ConfigError, ShapeError } from '../errors.js';
import {
  constantOf,
  constantValue,
  type DType,
  defineOp,
  formatType,
  type HostTensor,
  hostTensor,
  type OnnxEmitter,
  type Shape,
  sameShape,
  scalar,
  sizeOf,
  type Tensor,
  toNumbers,
  zeroGrad,
} from '../graph/index.js';
import {
  FOLD_LANES,
  FOLD_OFFSETS,
  foldKey,
  hashText,
  MIX_SHIFT,
  makeKey,
  type RandomKey,
  ROOT_KEY,
  ROUND_CONSTANTS,
  ROW_LENGTH,
  WORD_INDEX,
} from '../util/index.js';
import { add, mul } from './arithmetic.js';
import { broadcastShapes, requireDType, requireFloat, requireRank } from './check.js';
import { cast, full, sumTo, zerosLike } from './layout.js';
import { onnxDType } from './onnx-dtype.js';

const CONSTANT = 'random numbers do not depend on a parameter';

/** Emits uint32 arithmetic modulo 2^32 on value names. */
class Words {
  private readonly emit: OnnxEmitter;

  constructor(emit: OnnxEmitter) {
    this.emit = emit;
  }

  constant(value: number): string {
    return this.emit.scalar('uint32', value >>> 0);
  }

  cast(x: string, to: DType): string {
    return this.emit.one('Cast', [x], { to: { int: onnxDType(to) } });
  }

  add(a: string, b: string): string {
    return this.emit.one('Add', [a, b]);
  }

  mul(a: string, b: string): string {
    return this.emit.one('Mul', [a, b]);
  }

  /** x >>> bits. WebGPU's provider has no BitShift; division there is as cheap. */
  shift(x: string, bits: number): string {
    if (this.emit.target === 'webgpu') return this.emit.one('Div', [x, this.constant(2 ** bits)]);
    return this.emit.one('BitShift', [x, this.constant(bits)], { direction: { string: 'RIGHT' } });
  }

  fall(x: string): string {
    return this.add(x, this.shift(x, MIX_SHIFT));
  }

  round(x: string, c: number): string {
    return this.fall(this.mul(x, this.add(this.add(x, x), this.constant(c))));
  }

  mixWord(start: string, injected: string): string {
    const [c0, c1, c2, c3] = ROUND_CONSTANTS;
    let x = this.add(this.round(start, c0), injected);
    for (const c of [c1, c2, c3]) x = this.round(x, c);
    return x;
  }
}

function uint32(values: ArrayLike<number>): HostTensor {
  return hostTensor('uint32', [values.length], Uint32Array.from(values));
}

interface WordTables {
  /** Index terms of all row and column words, in four groups of equal role. */
  readonly terms: HostTensor;
  /** What makes a word an addend (x) or an odd factor (2 x + 1), a word. */
  readonly scale: HostTensor;
  readonly offset: HostTensor;
}

// Kept by size: a large constant is recognised by its identity when programs are compared.
const wordTables = new Map<string, WordTables>();

function tablesFor(rows: number, columns: number): WordTables {
  const key = `${rows},${columns}`;
  let tables = wordTables.get(key);
  if (!tables) {
    const groups = [
      { count: rows, lane: 0, odd: 0 },
      { count: rows, lane: 1, odd: 1 },
      { count: columns, lane: 2, odd: 0 },
      { count: columns, lane: 3, odd: 1 },
    ];
    const each = (f: (i: number, lane: number, odd: number) => number) =>
      uint32(
        groups.flatMap(({ count, lane, odd }) =>
          Array.from({ length: count }, (_, i) => f(i, lane, odd)),
        ),
      );
    tables = {
      terms: each((i, lane) => Math.imul(4 * i + lane, WORD_INDEX) >>> 0),
      scale: each((_i, _lane, odd) => 1 + odd),
      offset: each((_i, _lane, odd) => odd),
    };
    wordTables.set(key, tables);
  }
  return tables;
}

/** Emits the cells at the indices 0 to n - 1 (see `cellAt`), as uint32 of `shape`. */
function emitCells(emit: OnnxEmitter, key: string, shape: Shape): string {
  const words = new Words(emit);
  const n = sizeOf(shape);
  const columns = Math.min(n, ROW_LENGTH);
  const rows = Math.ceil(n / ROW_LENGTH);
  const { terms, scale, offset } = tablesFor(rows, columns);
  const unsigned = words.cast(key, 'uint32');
  const [k0, k1] = emit.node('Split', [unsigned, emit.ints([1, 1])], {}, { outputs: 2 });
  let all = words.mixWord(words.add(emit.constant(terms), k0!), k1!);
  all = words.add(words.mul(all, emit.constant(scale)), emit.constant(offset));
  const sizes = emit.ints([rows, rows, columns, columns]);
  const [a, c, b, d] = emit.node('Split', [all, sizes], {}, { outputs: 4 });
  const column = (x: string) => emit.one('Reshape', [x, emit.ints([rows, 1])]);
  const inner = words.fall(words.mul(words.add(column(a!), b!), column(c!)));
  const cells = words.mul(inner, d!);
  // The last row may reach beyond n.
  const flat =
    rows * columns === n
      ? cells
      : emit.one('Slice', [
          emit.one('Reshape', [cells, emit.ints([rows * columns])]),
          emit.ints([0]),
          emit.ints([n]),
        ]);
  return emit.one('Reshape', [flat, emit.ints(shape)], { allowzero: { int: 1 } });
}

function requireKey(op: string, key: { readonly dtype: DType; readonly shape: Shape }): void {
  requireDType(op, key, ['int32']);
  if (key.shape.length !== 1 || key.shape[0] !== 2) {
    throw new ShapeError(
      `${op}: a key is int32[2], got ${formatType(key)}. Make one with randomKey(seed, step).`,
      { op, shape: key.shape },
    );
  }
}

/** Another key, from a key and a number; see `foldKey`. No gradient. */
export const foldInOp = defineOp<undefined>({
  name: 'foldIn',
  infer: ([key, data]) => {
    requireKey('foldIn', key!);
    requireDType('foldIn', data!, ['int32']);
    requireRank('foldIn', 'data', data!, 0);
    return { dtype: 'int32', shape: [2] };
  },
  grad: zeroGrad(CONSTANT),
  onnx: (emit, { inputs: [key, data] }) => {
    const words = new Words(emit);
    const k = words.cast(emit.name(key!), 'uint32');
    const swapped = emit.one('Gather', [k, emit.ints([1, 0])]);
    const spread = words.mul(
      words.cast(emit.name(data!), 'uint32'),
      emit.constant(uint32(FOLD_LANES)),
    );
    const start = words.add(words.add(spread, emit.constant(uint32(FOLD_OFFSETS))), k);
    return words.cast(words.mixWord(start, swapped), 'int32');
  },
  fold: ([key, data]) => [keyTensor(foldKey(keyOf(key!), toNumbers(data!)[0]!))],
});

function keyOf(value: HostTensor): RandomKey {
  const [a, b] = toNumbers(value);
  return [a!, b!];
}

function keyTensor(key: RandomKey): HostTensor {
  return hostTensor('int32', [2], Int32Array.from(key));
}

/** 32 random bits an element, for whatever is not made below. No gradient. */
export const randomBitsOp = defineOp<{ shape: Shape }>({
  name: 'randomBits',
  infer: ([key], { shape }) => {
    requireKey('randomBits', key!);
    return { dtype: 'uint32', shape };
  },
  grad: zeroGrad(CONSTANT),
  onnx: (emit, { inputs: [key], attrs }) =>
    new Words(emit).fall(emitCells(emit, emit.name(key!), attrs.shape)),
});

// How many high bits of a cell a type holds exactly; more would round up to 1.
const MANTISSA: Partial<Record<DType, number>> = { float16: 11, float32: 24, float64: 24 };

function emitUniform(emit: OnnxEmitter, key: string, shape: Shape, dtype: DType): string {
  const words = new Words(emit);
  const bits = MANTISSA[dtype]!;
  const integers = words.shift(emitCells(emit, key, shape), 32 - bits);
  return emit.one('Mul', [words.cast(integers, dtype), emit.scalar(dtype, 2 ** -bits)]);
}

/** Multiples of 2^-24 (float16: 2^-11) in [0, 1), all equally likely. No gradient. */
export const randomUniformOp = defineOp<{ shape: Shape; dtype: DType }>({
  name: 'randomUniform',
  infer: ([key], { shape, dtype }) => {
    requireKey('randomUniform', key!);
    requireFloat('randomUniform', { dtype, shape });
    return { dtype, shape };
  },
  grad: zeroGrad(CONSTANT),
  onnx: (emit, { inputs: [key], attrs }) =>
    emitUniform(emit, emit.name(key!), attrs.shape, attrs.dtype),
});

/**
 * True where the bits lie below `threshold` of 2^32; with a second input, where a uniform number
 * lies below that. No gradient.
 */
export const bernoulliOp = defineOp<{ shape: Shape; threshold?: number }>({
  name: 'bernoulli',
  infer: ([key, p], { shape }) => {
    requireKey('bernoulli', key!);
    if (p) {
      requireDType('bernoulli', p, ['float32']);
      const both = broadcastShapes('bernoulli', p.shape, shape);
      if (!sameShape(both, shape)) {
        throw new ShapeError(
          `bernoulli: chances ${formatType(p)} do not broadcast to [${shape.join(',')}]. Give the shape that they broadcast to.`,
          { op: 'bernoulli', p: p.shape, shape },
        );
      }
    }
    return { dtype: 'bool', shape };
  },
  grad: zeroGrad(CONSTANT),
  onnx: (emit, { inputs: [key, p], attrs: { shape, threshold = 0 } }) =>
    emit.one(
      'Less',
      p
        ? [emitUniform(emit, emit.name(key!), shape, 'float32'), emit.name(p)]
        : [emitCells(emit, emit.name(key!), shape), new Words(emit).constant(threshold)],
    ),
});

/**
 * scale x where `keep` is true, 0 elsewhere. dx = the same of dy, so that a backward pass holds one
 * byte an element.
 */
export const maskScaleOp = defineOp<{ scale: number }>({
  name: 'maskScale',
  infer: ([x, keep]) => {
    requireFloat('maskScale', x!);
    requireDType('maskScale', keep!, ['bool']);
    return { dtype: x!.dtype, shape: broadcastShapes('maskScale', x!.shape, keep!.shape) };
  },
  grad: ({ inputs: [x, keep], dy, attrs }) => [
    sumTo(maskScale(dy, keep!, attrs.scale), x!.shape),
    null,
  ],
  onnx: (emit, { inputs: [x, keep], attrs }) => {
    const { dtype } = x!;
    const mask = new Words(emit).cast(emit.name(keep!), dtype);
    const factor = emit.one('Mul', [mask, emit.scalar(dtype, attrs.scale)]);
    return emit.one('Mul', [emit.name(x!), factor]);
  },
  elementwise: true,
});

/** scale x where `keep` (bool, broadcast) is true, 0 elsewhere. */
export function maskScale(x: Tensor, keep: Tensor, scale: number): Tensor {
  return maskScaleOp.one([x, keep], { scale });
}

/**
 * The key of a run's seed and step. With tensors (int32 scalars) the key is computed in the graph
 * and a program serves all seeds and steps; equal numbers give equal keys either way.
 */
export function randomKey(seed: number | Tensor, step?: number | Tensor): Tensor {
  const key =
    typeof seed === 'number'
      ? constantOf(keyTensor(makeKey(seed)))
      : foldIn(constantOf(keyTensor(ROOT_KEY)), seed);
  return step === undefined ? key : foldIn(key, step);
}

/**
 * Another key, for a site of its own: a number (modulo 2^32), the site's name, or an int32 scalar.
 * @example
 * const key = input('key', 'int32', [2]); // fed with makeKey(seed, step)
 * const y = dropout(x, 0.1, foldIn(key, 'encoder.layer.0'));
 */
export function foldIn(key: Tensor, data: number | string | Tensor): Tensor {
  if (typeof data === 'object') return foldInOp.one([key, data], undefined);
  const number = (typeof data === 'string' ? hashText(data) : data) | 0;
  const known = constantValue(key);
  if (known) {
    requireKey('foldIn', key);
    return constantOf(keyTensor(foldKey(keyOf(known), number)));
  }
  return foldInOp.one([key, scalar(number, 'int32')], undefined);
}

/** 32 random bits an element, as uint32. */
export function randomBits(key: Tensor, shape: Shape): Tensor {
  if (sizeOf(shape) === 0) return full('uint32', shape, 0);
  return randomBitsOp.one([key], { shape: [...shape] });
}

/** Options of {@link randomUniform}. */
export interface UniformOptions {
  /** Lower end, included. Defaults to 0. */
  readonly low?: number;
  /** Upper end, excluded up to rounding. Defaults to 1. */
  readonly high?: number;
  /** Defaults to float32. */
  readonly dtype?: DType;
}

/** Uniform random numbers in [low, high). */
export function randomUniform(
  key: Tensor,
  shape: Shape,
  { low = 0, high = 1, dtype = 'float32' }: UniformOptions = {},
): Tensor {
  if (sizeOf(shape) === 0) return full(dtype, shape, 0);
  const unit = randomUniformOp.one([key], { shape: [...shape], dtype });
  const wide = high - low === 1 ? unit : mul(unit, high - low);
  return low === 0 ? wide : add(wide, low);
}

/** Options of {@link randomNormal}. */
export interface NormalOptions {
  /** Defaults to 0. */
  readonly mean?: number;
  /** Standard deviation; defaults to 1. */
  readonly std?: number;
}

/** One normal number for each pair of uniform ones (Box-Muller). No gradient. */
export const boxMullerOp = defineOp<undefined>({
  name: 'boxMuller',
  infer: ([u]) => {
    requireDType('boxMuller', u!, ['float32']);
    return { dtype: u!.dtype, shape: u!.shape };
  },
  grad: zeroGrad(CONSTANT),
  onnx: (emit, { inputs: [u, v] }) => {
    const float = (x: number) => emit.scalar('float32', x);
    // Half a step up, away from the logarithm of 0.
    const log = emit.one('Log', [emit.one('Add', [emit.name(u!), float(2 ** -25)])]);
    const radius = emit.one('Sqrt', [emit.one('Mul', [log, float(-2)])]);
    const angle = emit.one('Mul', [emit.name(v!), float(2 * Math.PI)]);
    return emit.one('Mul', [radius, emit.one('Cos', [angle])]);
  },
});

/** Normal random numbers in float32; the largest possible is 5.9 standard deviations away. */
export function randomNormal(
  key: Tensor,
  shape: Shape,
  { mean = 0, std = 1 }: NormalOptions = {},
): Tensor {
  const u = randomUniform(key, shape);
  const v = randomUniform(foldIn(key, 1), shape);
  const z = boxMullerOp.one([u, v], undefined);
  const wide = std === 1 ? z : mul(z, std);
  return mean === 0 ? wide : add(wide, mean);
}

/**
 * True with chance `p`, independently for each element.
 * @param p a number, or a tensor of chances that broadcasts to `shape`
 */
export function bernoulli(key: Tensor, p: number | Tensor, shape: Shape): Tensor {
  if (typeof p === 'object')
    return bernoulliOp.one([key, cast(p, 'float32')], { shape: [...shape] });
  if (!(p >= 0 && p <= 1)) {
    throw new ConfigError(`bernoulli: the chance must lie between 0 and 1, got ${p}.`, { p });
  }
  const threshold = Math.round(p * 2 ** 32);
  // 2^32 itself is no uint32, and then nothing is left to draw.
  if (threshold === 2 ** 32 || sizeOf(shape) === 0) return full('bool', shape, 1);
  return bernoulliOp.one([key], { shape: [...shape], threshold });
}

/**
 * Zeroes each element with chance `rate` and scales the others by 1 / (1 - rate), so that the
 * expectation stays. The backward pass uses the very same mask. Rate 0 gives `x` itself.
 * @param rate chance to drop, from 0 to 1
 * @param key a key that no other site of the step uses: fold the site in
 * @param noiseShape draw one number for several elements: axes of length 1 broadcast (drop path,
 *   spatial dropout). Defaults to the shape of `x`.
 * @see https://jmlr.org/papers/v15/srivastava14a.html
 */
export function dropout(x: Tensor, rate: number, key: Tensor, noiseShape: Shape = x.shape): Tensor {
  requireFloat('dropout', x);
  if (!(rate >= 0 && rate <= 1)) {
    throw new ConfigError(`dropout: the rate must lie between 0 and 1, got ${rate}.`, { rate });
  }
  if (rate === 0) return x;
  if (rate === 1) return zerosLike(x);
  return maskScale(x, bernoulli(key, 1 - rate, noiseShape), 1 / (1 - rate));
}
