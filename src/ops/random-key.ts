/**
 * Keys of random numbers in the graph: int32[2], folded with seeds, steps and sites exactly as
 * `util/random.ts` does, so that they may be made on either side.
 */
import { ShapeError } from '../errors.js';
import {
  constantOf,
  constantValue,
  type DType,
  defineOp,
  formatType,
  type HostTensor,
  hostTensor,
  type OnnxEmitter,
  scalar,
  type Tensor,
  type TensorType,
  toNumbers,
  zeroGrad,
} from '../graph/index.js';
import { foldKey, hashText, makeKey, RANDOM_HASH, type RandomKey } from '../util/index.js';
import { requireDType, requireRank } from './check.js';
import { onnxDType } from './onnx-dtype.js';

/** Emits uint32 arithmetic modulo 2^32 on value names. */
export class WordEmitter {
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
    return this.add(x, this.shift(x, RANDOM_HASH.shift));
  }

  round(x: string, c: number): string {
    return this.fall(this.mul(x, this.add(this.add(x, x), this.constant(c))));
  }

  mixWord(start: string, injected: string): string {
    const [c0, c1, c2, c3] = RANDOM_HASH.rounds;
    let x = this.add(this.round(start, c0), injected);
    for (const c of [c1, c2, c3]) x = this.round(x, c);
    return x;
  }
}

/** Throws unless `key` has the type of a key. */
export function requireKey(op: string, key: TensorType): void {
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
  grad: zeroGrad('a key does not depend on a parameter'),
  onnx: (emit, { inputs: [key, data] }) => {
    const words = new WordEmitter(emit);
    const k = words.cast(emit.name(key!), 'uint32');
    const swapped = emit.one('Gather', [k, emit.ints([1, 0])]);
    const spread = words.mul(
      words.cast(emit.name(data!), 'uint32'),
      emit.constant(uint32(RANDOM_HASH.foldLanes)),
    );
    const start = words.add(words.add(spread, emit.constant(uint32(RANDOM_HASH.foldOffsets))), k);
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

function uint32(values: ArrayLike<number>): HostTensor {
  return hostTensor('uint32', [values.length], Uint32Array.from(values));
}

/**
 * The key of a run's seed and step. With tensors (int32 scalars) the key is computed in the graph
 * and a program serves all seeds and steps; equal numbers give equal keys either way.
 */
export function randomKey(seed: number | Tensor, step?: number | Tensor): Tensor {
  const key =
    typeof seed === 'number'
      ? constantOf(keyTensor(makeKey(seed)))
      : foldIn(constantOf(keyTensor(RANDOM_HASH.root)), seed);
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
