/** Starting values of parameters, drawn from keyed random numbers. */
import {
  type DType,
  filled,
  type HostTensor,
  hostTensor,
  type Shape,
  sizeOf,
} from '../graph/index.js';
import { KeyedRandom, type RandomKey } from '../util/index.js';

/** Makes the starting value of a parameter; the same key gives the same values. */
export type Initializer = (key: RandomKey, shape: Shape, dtype: DType) => HostTensor;

/** Inputs that reach one output: columns times the rest of the kernel. */
function fanIn(shape: Shape): number {
  return Math.max(1, sizeOf(shape.slice(1)));
}

/** Outputs that one input reaches: rows times the rest of the kernel. */
function fanOut(shape: Shape): number {
  return Math.max(1, (shape[0] ?? 1) * sizeOf(shape.slice(2)));
}

const uniformWithin =
  (bound: (shape: Shape) => number): Initializer =>
  (key, shape, dtype) => {
    const limit = bound(shape);
    return hostTensor(dtype, shape, new KeyedRandom(key).uniforms(sizeOf(shape), -limit, limit));
  };

const normalWith =
  (deviation: (shape: Shape) => number): Initializer =>
  (key, shape, dtype) =>
    hostTensor(dtype, shape, new KeyedRandom(key).normals(sizeOf(shape), 0, deviation(shape)));

/** Zeros. */
export const zerosInit = (): Initializer => (_, shape, dtype) => filled(dtype, shape, 0);

/** Ones. */
export const onesInit = (): Initializer => (_, shape, dtype) => filled(dtype, shape, 1);

/** Normal with mean 0. */
export function normalInit(deviation = 1): Initializer {
  return normalWith(() => deviation);
}

/** Normal with mean 0, redrawn beyond two deviations: what BERT and ViT start from. */
export function truncatedNormalInit(deviation = 0.02): Initializer {
  return (key, shape, dtype) => {
    const values = new KeyedRandom(key).normals(sizeOf(shape));
    for (let round = 1; ; round++) {
      const outside = [...values.keys()].filter((i) => Math.abs(values[i]!) > 2);
      if (outside.length === 0) break;
      const redrawn = new KeyedRandom(key).fold(round).normals(outside.length);
      for (const [j, i] of outside.entries()) values[i] = redrawn[j]!;
    }
    return hostTensor(
      dtype,
      shape,
      values.map((v) => deviation * v),
    );
  };
}

/** Uniform within +-bound. */
export function uniformInit(bound: number): Initializer {
  return uniformWithin(() => bound);
}

/** Uniform within +-1 / sqrt(fan in): PyTorch's start for biases. */
export function fanInUniform(inputs: number): Initializer {
  return uniformInit(1 / Math.sqrt(Math.max(1, inputs)));
}

/**
 * Uniform within +-sqrt(6 / ((1 + slope^2) fan in)). The default slope sqrt(5) is what PyTorch's
 * Linear and Conv layers start from.
 * @see He et al., "Delving Deep into Rectifiers", 2015
 */
export function kaimingUniform(slope = Math.sqrt(5)): Initializer {
  return uniformWithin((shape) => Math.sqrt(6 / ((1 + slope * slope) * fanIn(shape))));
}

/**
 * Normal with variance 2 / fan, the start of ResNet's convolutions.
 * @param mode keep the variance of the forward pass (`fanIn`) or of the backward pass (`fanOut`)
 * @see He et al., "Delving Deep into Rectifiers", 2015
 */
export function kaimingNormal(mode: 'fanIn' | 'fanOut' = 'fanOut'): Initializer {
  const fan = mode === 'fanIn' ? fanIn : fanOut;
  return normalWith((shape) => Math.sqrt(2 / fan(shape)));
}

/**
 * Uniform within +-sqrt(6 / (fan in + fan out)).
 * @see Glorot and Bengio, "Understanding the difficulty of training deep feedforward networks", 2010
 */
export function xavierUniform(): Initializer {
  return uniformWithin((shape) => Math.sqrt(6 / (fanIn(shape) + fanOut(shape))));
}
