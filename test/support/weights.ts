/** Golden weight files: what Python wrote, and what is in them. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { type DType, dtypeInfo, type HostTensor, hostTensor } from '../../src/graph/index.js';
import type { TensorSource } from '../../src/io/index.js';

const root = new URL('../golden/io/', import.meta.url);

/** Path of a golden file. */
export function golden(file: string): string {
  return fileURLToPath(new URL(file, root));
}

type Described = Record<string, { dtype: DType; shape: number[]; bytes: string }>;

/** Tensors by file, from a folder's `expected.json`. */
export function expectedTensors(folder: string): Map<string, Map<string, HostTensor>> {
  const files = JSON.parse(readFileSync(golden(`${folder}/expected.json`), 'utf8')) as Record<
    string,
    Described
  >;
  return new Map(
    Object.entries(files).map(([file, tensors]) => [
      file,
      new Map(
        Object.entries(tensors).map(([name, { dtype, shape, bytes }]) => {
          const raw = Uint8Array.from(Buffer.from(bytes, 'base64'));
          return [name, hostTensor(dtype, shape, new (dtypeInfo(dtype).array)(raw.buffer))];
        }),
      ),
    ]),
  );
}

/** A source holds these tensors and no others, bit for bit and in any order; it is closed. */
export async function expectSource(
  source: TensorSource,
  tensors: ReadonlyMap<string, HostTensor>,
): Promise<void> {
  try {
    expect([...source.types.keys()].sort()).toEqual([...tensors.keys()].sort());
    for (const [name, { dtype, shape, data }] of tensors) {
      expect(source.types.get(name), name).toEqual({ dtype, shape });
      const read = await source.read(name);
      expect({ dtype: read.dtype, shape: read.shape }, name).toEqual({ dtype, shape });
      // As bytes: NaN and -0 count.
      expect(
        Buffer.from(read.data.buffer, read.data.byteOffset, read.data.byteLength),
        name,
      ).toEqual(Buffer.from(data.buffer, data.byteOffset, data.byteLength));
    }
  } finally {
    await source.close();
  }
}
