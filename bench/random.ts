/** Random tensors for benchmarks. */
import { type HostTensor, hostTensor, type Shape } from '../src/index.js';
import { hashText, makeKey, uniformAt } from '../src/util/index.js';

/** Uniform numbers of mean 0 and deviation `deviation`; the same for the same name. */
export function randomTensor(name: string, shape: Shape, deviation = 1): HostTensor {
  const key = makeKey(hashText(name) | 0);
  const size = shape.reduce((n, d) => n * d, 1);
  const data = new Float32Array(size);
  const width = 2 * Math.sqrt(3) * deviation;
  for (let i = 0; i < size; i++) data[i] = (uniformAt(key, i) - 0.5) * width;
  return hostTensor('float32', shape, data);
}
