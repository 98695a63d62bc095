import * as ort from 'onnxruntime-node';
import { beforeAll, describe, expect, test } from 'vitest';
import { input } from '../graph/index.js';
import { encode } from '../onnx/index.js';
import { add, mul } from '../ops/index.js';
import { UncopiedSession, withMarker } from './ort-node-results.js';

const vector = (...values: number[]) =>
  new ort.Tensor('float32', Float32Array.from(values), [values.length]);

describe('results with buffers of their own', () => {
  let session: UncopiedSession;
  let feeds: Record<string, ort.Tensor>;
  const x = input('x', 'float32', [3]);
  const y = input('y', 'float32', [3]);
  const model = encode({ outputs: { sum: add(x, y), product: mul(x, y) } });
  const nameOf = (name: string) => model.outputs.find((o) => o.name === name)!.onnxName;

  beforeAll(async () => {
    session = new UncopiedSession(await ort.InferenceSession.create(withMarker(model.bytes)));
    const values = { x: vector(1, 2, 3), y: vector(4, 5, 6) };
    feeds = Object.fromEntries(
      model.inputs.map((i) => [i.onnxName, values[i.name as keyof typeof values]]),
    );
  });

  test('are written and not copied', async () => {
    const sum = vector(0, 0, 0);
    const product = vector(0, 0, 0);
    const fetches = { [nameOf('sum')]: sum, [nameOf('product')]: product };
    expect(await session.run(feeds, fetches)).toEqual({});
    expect([...(sum.data as Float32Array)]).toEqual([5, 7, 9]);
    expect([...(product.data as Float32Array)]).toEqual([4, 10, 18]);
  });

  test('come back as usual when one has none', async () => {
    const results = await session.run(feeds, { [nameOf('sum')]: null });
    expect([...(results[nameOf('sum')]!.data as Float32Array)]).toEqual([5, 7, 9]);
  });

  test('do not hide a run that failed', async () => {
    const fetches = { [nameOf('sum')]: vector(0, 0, 0) };
    await expect(session.run({}, fetches)).rejects.toThrow(/input/i);
    const short = { ...feeds, [model.inputs[0]!.onnxName]: vector(1, 2) };
    await expect(session.run(short, fetches)).rejects.toThrow(/dimension/i);
  });

  test('the additional output is not declared', () => {
    expect(session.outputMetadata.map((m) => m.name)).toEqual(model.outputs.map((o) => o.onnxName));
  });
});
