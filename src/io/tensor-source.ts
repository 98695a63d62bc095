/** One face for every kind of weight file: names and types first, values one by one when asked. */
import { WeightsError } from '../errors.js';
import type { HostTensor, TensorType } from '../graph/index.js';

/** Named tensors that are read when they are needed, so that a large file never lies in memory whole. */
export interface TensorSource {
  /** Types of all tensors, by name, in the order of the file. */
  readonly types: ReadonlyMap<string, TensorType>;
  /**
   * Reads one tensor; bfloat16 and other types without an array of their own come as float32.
   * @throws WeightsError when there is no tensor of that name or its bytes are damaged
   */
  read(name: string): Promise<HostTensor>;
  /** What the file says about itself, such as safetensors' metadata. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Closes files. Reading afterwards is an error. */
  close(): Promise<void>;
}

/** Tensors in memory as a source. */
export function memorySource(
  tensors: ReadonlyMap<string, HostTensor>,
  metadata: Readonly<Record<string, string>> = {},
): TensorSource {
  return {
    types: new Map([...tensors].map(([name, { dtype, shape }]) => [name, { dtype, shape }])),
    metadata,
    async read(name) {
      const tensor = tensors.get(name);
      if (!tensor) throw new WeightsError(`There is no tensor '${name}'.`, { name });
      return tensor;
    },
    async close() {},
  };
}
