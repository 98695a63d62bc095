import { createHash } from 'node:crypto';
import { create, toBinary } from '@bufbuild/protobuf';
import { describe, expect, test } from 'vitest';
import { testEngine } from '../../test/support/engine.js';
import { constantOf, type HostTensor, hostTensor, input } from '../graph/index.js';
import { add, matmul, relu } from '../ops/index.js';
import {
  encode,
  externalFiles,
  type ImportedGraph,
  importGraph,
  type ModelFile,
  readOnnx,
  singleFile,
} from './index.js';
import { ModelSchema } from './proto/onnx_pb.js';

function join(file: ModelFile): Uint8Array {
  const parts = [...file.chunks()];
  const out = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const p of parts) {
    out.set(p, at);
    at += p.length;
  }
  return out;
}

const values = (n: number): HostTensor =>
  hostTensor(
    'float32',
    [40, n],
    Array.from({ length: 40 * n }, (_, i) => Math.sin(i)),
  );

/** Two large weights and a small one. */
function net() {
  const x = input('image', 'float32', [3, 40]);
  const hidden = relu(matmul(x, constantOf(values(40))));
  const small = constantOf(hostTensor('float32', [50], new Float32Array(50).fill(0.5)));
  return { x, y: add(matmul(hidden, constantOf(values(50))), small) };
}

/** The bytes of a model whose initializers lie in files of these names. */
function naming(paths: readonly string[], length: number): Uint8Array {
  const initializer = paths.map((name) => ({
    name,
    dims: [BigInt(length)],
    dataType: 1,
    dataLocation: 1,
    externalData: [
      { key: 'location', value: name },
      { key: 'offset', value: '0' },
      { key: 'length', value: String(length * 4) },
    ],
  }));
  return toBinary(ModelSchema, create(ModelSchema, { graph: { initializer } }));
}

type Runnable = Pick<ImportedGraph, 'inputs' | 'outputs'>;

async function run(y: Runnable) {
  const engine = await testEngine();
  const feed = hostTensor(
    'float32',
    [3, 40],
    Float32Array.from({ length: 120 }, (_, i) => i / 60),
  );
  return engine.evaluate([y.outputs.scores!], new Map([[y.inputs.image!, feed]]));
}

describe('a model written as files', () => {
  const { x, y } = net();
  const model = encode({ outputs: { scores: y }, keepNames: true });

  test('has large weights outside the encoded bytes', () => {
    expect(model.external.map((e) => e.data.length)).toEqual([6400, 8000]);
  });

  test('in one file comes back with equal results, under its own names', async () => {
    const file = singleFile(model);
    const bytes = join(file);
    expect(file.bytes).toBe(bytes.length);
    expect(readOnnx(bytes).externalPaths).toEqual([]);
    const [direct] = await run({ inputs: { image: x }, outputs: { scores: y } });
    expect(await run(await importGraph(bytes))).toEqual([direct]);
  });

  test('with weights beside it comes back with equal results', async () => {
    const [main, data, ...rest] = externalFiles(model, { name: 'net.onnx' });
    expect(rest).toEqual([]);
    expect(data!.name).toBe('net.onnx.data');
    const beside = join(data!);
    expect(data!.bytes).toBe(beside.length);
    const bytes = join(main!);
    expect(readOnnx(bytes).externalPaths).toEqual(['net.onnx.data']);
    const offsets: number[] = [];
    const back = await importGraph(bytes, {
      external: (path, offset, length) => {
        expect(path).toBe('net.onnx.data');
        offsets.push(offset);
        return beside.subarray(offset, offset + length);
      },
    });
    expect(offsets.map((o) => o % 4096)).toEqual([0, 0]);
    const [direct] = await run({ inputs: { image: x }, outputs: { scores: y } });
    expect(await run(back)).toEqual([direct]);
  });

  test('is not changed by being written', () => {
    const digest = () => createHash('sha256').update(model.bytes).digest('hex');
    const before = digest();
    externalFiles(model);
    singleFile(model);
    expect(digest()).toBe(before);
  });

  test('cannot put its weights in another folder or over itself', () => {
    expect(() => externalFiles(model, { dataName: '../weights' })).toThrow(/name of another file/);
    expect(() => externalFiles(model, { dataName: 'model.onnx' })).toThrow(/name of another file/);
    expect(() => externalFiles(model, { dataName: '..' })).toThrow(/plain path/);
  });

  test('above 2 GiB goes beside its weights, and never through one buffer', () => {
    // The same 16 MiB stand for every weight: what is written is counted, not kept.
    const megabytes = new Uint8Array(16 * 2 ** 20);
    const count = 160;
    const external = Array.from({ length: count }, (_, i) => ({ path: `w${i}`, data: megabytes }));
    const large = {
      ...model,
      bytes: naming(
        external.map((e) => e.path),
        2 ** 22,
      ),
      external,
    };
    expect(() => singleFile(large)).toThrow(/cannot exceed 2 GiB/);
    const [, data] = externalFiles(large);
    expect(data!.bytes).toBe(count * megabytes.length);
    let written = 0;
    let widest = 0;
    for (const chunk of data!.chunks()) {
      written += chunk.length;
      widest = Math.max(widest, chunk.length);
    }
    expect(written).toBe(2_684_354_560);
    expect(widest).toBe(megabytes.length);
  });
});
