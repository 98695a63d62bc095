/**
 * Weights of an 8-bit model in float16 without loss. They are multiples of one step; written as
 * multiples of the nearest power of two they are float16 numbers exactly (a whole number below 2048
 * times a power of two), and of the same magnitude as before. The rest of the step is a factor for
 * the norm that follows.
 */
import { fromFloat16Bits, type HostTensor, toFloat16Bits } from '../../src/index.js';

/** A kernel as float16, and the factor by which it is to be multiplied. */
export interface ExactHalf {
  readonly weight: HostTensor;
  readonly gain: number;
}

/** Steps on the ladder that an 8-bit weight may be away from zero. */
const LEVELS = 255;

/** The step of which all values are whole multiples; null when there is none. */
function stepOf(values: Float32Array): number | null {
  const levels = [...new Set(values)].map(Number).sort((a, b) => a - b);
  const gaps = levels.slice(1).map((v, i) => v - levels[i]!);
  // Neighbouring levels nearly always occur; if not, the gap is a small multiple of the step.
  const gap = Math.min(...gaps);
  for (const parts of [1, 2, 3, 4]) {
    const counts = levels.map((v) => Math.round((v * parts) / gap));
    const square = counts.reduce((sum, k) => sum + k * k, 0);
    const step = levels.reduce((sum, v, i) => sum + v * counts[i]!, 0) / square;
    const fits = levels.every((v, i) => Math.abs(v / step - counts[i]!) < 1e-3);
    if (fits && counts.every((k) => Math.abs(k) <= LEVELS)) return step;
  }
  return null;
}

/**
 * A float32 kernel as an exact float16 one with a gain between 0.7 and 1.42.
 * @returns null when the values are no multiples of one step
 */
export function exactHalf({ shape, data }: HostTensor): ExactHalf | null {
  const step = stepOf(data as Float32Array);
  if (step === null) return null;
  const power = 2 ** Math.round(Math.log2(step));
  const bits = Uint16Array.from(data as Float32Array, (v) =>
    toFloat16Bits(Math.round(v / step) * power),
  );
  return { weight: { dtype: 'float16', shape, data: bits }, gain: step / power };
}

/** The values that a float16 tensor stands for. */
export function widened({ shape, data }: HostTensor): HostTensor {
  return {
    dtype: 'float32',
    shape,
    data: Float32Array.from(data as Uint16Array, fromFloat16Bits),
  };
}
