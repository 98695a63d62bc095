/**
 * Keyed stateless random numbers in the graph: the twin of `util/random.ts`, bit for bit. A key may
 * be fed, so that a new step draws new numbers without compiling again; the same key gives the same
 * bits on every run, thread count and device. No gradient flows through a draw.
 */
import { ConfigError, ShapeError } from '../errors.js';
import {
  type DType,
  defineOp,
  formatType,
  type HostTensor,
  hostTensor,
  type OnnxEmitter,
  type Shape,
  sameShape,
  sizeOf,
  type Tensor,
  zeroGrad,
} from '../graph/index.js';
import { RANDOM_HASH } from '../util/index.js';
import { add, mul } from './arithmetic.js';
import { broadcastShapes, requireDType, requireFloat } from './check.js';
import { cast, full } from './layout.js';
import { foldIn, requireKey, WordEmitter } from './random-key.js';

const CONSTANT = 'random numbers do not depend on a parameter';

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
    const each = (f: (i: number, lane: number, odd: number) => number) => {
      const values = groups.flatMap(({ count, lane, odd }) =>
        Array.from({ length: count }, (_, i) => f(i, lane, odd)),
      );
      return hostTensor('uint32', [values.length], values);
    };
    tables = {
      terms: each((i, lane) => Math.imul(4 * i + lane, RANDOM_HASH.wordIndex) >>> 0),
      scale: each((_i, _lane, odd) => 1 + odd),
      offset: each((_i, _lane, odd) => odd),
    };
    wordTables.set(key, tables);
  }
  return tables;
}

/** Emits the cells at the indices 0 to n - 1 (see `cellAt`), as uint32 of `shape`. */
function emitCells(emit: OnnxEmitter, key: string, shape: Shape): string {
  const words = new WordEmitter(emit);
  const n = sizeOf(shape);
  const columns = Math.min(n, RANDOM_HASH.rowLength);
  const rows = Math.ceil(n / RANDOM_HASH.rowLength);
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

/** 32 random bits an element, for whatever is not made below. No gradient. */
export const randomBitsOp = defineOp<{ shape: Shape }>({
  name: 'randomBits',
  infer: ([key], { shape }) => {
    requireKey('randomBits', key!);
    return { dtype: 'uint32', shape };
  },
  grad: zeroGrad(CONSTANT),
  onnx: (emit, { inputs: [key], attrs }) =>
    new WordEmitter(emit).fall(emitCells(emit, emit.name(key!), attrs.shape)),
});

// How many high bits of a cell a type holds exactly; more would round up to 1.
const MANTISSA: Partial<Record<DType, number>> = { float16: 11, float32: 24, float64: 24 };

function emitUniform(emit: OnnxEmitter, key: string, shape: Shape, dtype: DType): string {
  const words = new WordEmitter(emit);
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
        : [emitCells(emit, emit.name(key!), shape), new WordEmitter(emit).constant(threshold)],
    ),
});

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
  const v = randomUniform(foldIn(key, RANDOM_HASH.angle), shape);
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
