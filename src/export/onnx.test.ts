import * as ort from 'onnxruntime-node';
import { describe, expect, test } from 'vitest';
import { expectClose } from '../../test/support/compare.js';
import { testEngine } from '../../test/support/engine.js';
import {
  AttentionNet,
  BatchMeanNet,
  ConvNet,
  RepeatedNet,
} from '../../test/support/export-nets.js';
import { type HostTensor, hostTensor, input, type Tensor, toNumbers } from '../graph/index.js';
import type { ImageClassifier, ImagePreprocess } from '../models/index.js';
import { Context, initialize } from '../nn/index.js';
import { type EncodedModel, readOnnx, singleFile } from '../onnx/index.js';
import { relu } from '../ops/index.js';
import { makeKey, uniformAt } from '../util/index.js';
import { exportOnnx, ONNX_INPUT, ONNX_OUTPUT } from './index.js';

const labels = ['ant', 'bee "of honey"', 'wasp', 'Käfer'];
const preprocess: ImagePreprocess = {
  height: 8,
  width: 8,
  fit: 'squash',
  resample: 'bilinear',
  rescale: 1 / 255,
  mean: [0.5, 0.4, 0.3],
  deviation: [0.2, 0.3, 0.4],
};

/** Values that are nowhere a default, so that a forgotten one shows; variances are positive. */
function weightsOf(model: ImageClassifier): Map<string, HostTensor> {
  const weights = initialize(model, 1);
  for (const [path, { dtype, shape, data }] of weights) {
    const key = makeKey(path.length);
    const moved = Array.from(data as Float32Array, (v, i) => v + 0.4 * uniformAt(key, i));
    weights.set(path, hostTensor(dtype, shape, moved));
  }
  return weights;
}

function pixels(batch: number): HostTensor {
  const key = makeKey(batch);
  const data = Array.from({ length: batch * 192 }, (_, i) => 2 * uniformAt(key, i) - 1);
  return hostTensor('float32', [batch, 3, 8, 8], data);
}

function bytesOf(model: EncodedModel): Uint8Array {
  return Buffer.concat([...singleFile(model).chunks()]);
}

async function session(bytes: Uint8Array): Promise<ort.InferenceSession> {
  return ort.InferenceSession.create(bytes, { intraOpNumThreads: 1, logSeverityLevel: 3 });
}

async function inPlainRuntime(net: ort.InferenceSession, x: HostTensor): Promise<HostTensor> {
  const feed = new ort.Tensor('float32', x.data as Float32Array, [...x.shape]);
  const y = (await net.run({ [ONNX_INPUT]: feed }))[ONNX_OUTPUT]!;
  return hostTensor('float32', y.dims, y.data as Float32Array);
}

/** What Graft itself says. */
async function inGraft(model: ImageClassifier, weights: Map<string, HostTensor>, x: HostTensor) {
  const t = input('x', 'float32', x.shape);
  const feeds = new Map<Tensor, HostTensor>([[t, x]]);
  for (const [path, p] of model.parameters()) feeds.set(p.tensor, weights.get(path)!);
  const y = model.forward(t, new Context({ training: false }));
  return (await (await testEngine()).evaluate([y], feeds))[0]!;
}

async function exported(model: ImageClassifier, batch?: number) {
  const weights = weightsOf(model);
  const source = { model, weights, labels, preprocess };
  const file = await exportOnnx(await testEngine(), source, batch === undefined ? {} : { batch });
  return { weights, file };
}

const nets: Record<string, () => ImageClassifier> = {
  'convolutions, batch norms, group norm, pools': () => new ConvNet(labels.length),
  'a constant repeated for each sample': () => new RepeatedNet(labels.length),
  'attention, expanded tokens, merged axes': () => new AttentionNet(labels.length),
};

describe.each(Object.entries(nets))('an exported net of %s', (_, make) => {
  test('gives Graft’s logits for every batch', async () => {
    const model = make();
    const { weights, file } = await exported(model);
    const net = await session(bytesOf(file));
    for (const batch of [1, 3, 7]) {
      const x = pixels(batch);
      const { shape, data } = await inGraft(model, weights, x);
      const want = { shape, data: Array.from(data as Float32Array) };
      expect(shape).toEqual([batch, labels.length]);
      expectClose(`batch ${batch}`, await inPlainRuntime(net, x), want, { rtol: 1e-5, atol: 1e-5 });
    }
  });

  test('declares a free batch, standard operators only, and an opset that runtimes know', async () => {
    const { file } = await exported(make());
    const { graph, opsets } = readOnnx(bytesOf(file));
    const dims = (list: typeof graph.input) =>
      list.map((v) => [
        v.name,
        v.type!.value.case === 'tensorType' &&
          v.type!.value.value.shape!.dim.map((d) => d.value.value),
      ]);
    expect(dims(graph.input)).toEqual([[ONNX_INPUT, ['batch', 3n, 8n, 8n]]]);
    expect(dims(graph.output)).toEqual([[ONNX_OUTPUT, ['batch', BigInt(labels.length)]]]);
    expect([...opsets]).toEqual([['', 20]]);
    expect(new Set(graph.node.map((n) => n.domain))).toEqual(new Set(['']));
    // ONNX Runtime has it in the default domain, the standard does not.
    expect(graph.node.map((n) => n.opType)).not.toContain('SimplifiedLayerNormalization');
  });

  test('has no batch left in it that it was traced with', async () => {
    const { file } = await exported(make());
    expect([...file.inputs, ...file.outputs].map((v) => v.shape[0])).toEqual([-1, -1]);
    const { graph } = readOnnx(bytesOf(file));
    const int64 = graph.initializer.filter((t) => t.dataType === 7);
    expect(int64.length).toBeGreaterThan(0);
    for (const t of int64) {
      for (const n of new BigInt64Array(Uint8Array.from(t.rawData).buffer))
        expect(n).toBeLessThan(1000n);
    }
  });
});

test('batch norms behind convolutions are folded, and weights go by their paths', async () => {
  const { file, weights } = await exported(new ConvNet(labels.length));
  const { graph } = readOnnx(bytesOf(file));
  const count = (op: string) => graph.node.filter((n) => n.opType === op).length;
  expect(count('Conv')).toBe(2);
  // The one before the first convolution and the affine part of the group norm.
  expect(count('BatchNormalization')).toBe(1);
  expect(count('Sqrt') + count('Div')).toBe(0);
  const names = graph.initializer.map((t) => t.name);
  expect(names).toContain('conv.weight.folded');
  expect(names).toContain('head.bias');
  const bias = graph.initializer.find((t) => t.name === 'head.bias')!;
  expect(new Float32Array(Uint8Array.from(bias.rawData).buffer)).toEqual(
    weights.get('head.bias')!.data,
  );
});

test('the file says what its labels and its preprocessing are, and who made it', async () => {
  const { file } = await exported(new ConvNet(labels.length));
  const model = readOnnx(bytesOf(file));
  expect(model.producer).toBe('graft');
  expect(model.metadata.get('task')).toBe('image-classification');
  expect(JSON.parse(model.metadata.get('labels')!)).toEqual(labels);
  expect(JSON.parse(model.metadata.get('preprocessing')!)).toEqual({
    ...preprocess,
    layout: 'NCHW',
    channelOrder: 'RGB',
  });
});

describe('a net whose form depends on the batch', () => {
  test('is refused by name of what depends on it', async () => {
    await expect(exported(new BatchMeanNet(labels.length))).rejects.toThrow(
      /constant .* depends on it.*Export it for a fixed batch/,
    );
    class Moody extends ConvNet {
      override features(x: Tensor, context: Context): Tensor {
        const y = super.features(x, context);
        return x.shape[0]! > 5500 ? relu(y) : y;
      }
    }
    await expect(exported(new Moody(labels.length))).rejects.toMatchObject({
      code: 'batch-dependent',
    });
  });

  test('is exported for a fixed batch', async () => {
    const model = new BatchMeanNet(labels.length);
    const { weights, file } = await exported(model, 3);
    expect(file.inputs[0]!.shape).toEqual([3, 3, 8, 8]);
    const net = await session(bytesOf(file));
    const x = pixels(3);
    const want = { shape: [3, 4], data: toNumbers(await inGraft(model, weights, x)) };
    expectClose('logits', await inPlainRuntime(net, x), want as never, { rtol: 1e-5, atol: 1e-5 });
    await expect(inPlainRuntime(net, pixels(2))).rejects.toThrow(/dimension/i);
  });
});

test('labels that do not fit the head, and weights that do not fit the model, are refused', async () => {
  const engine = await testEngine();
  const model = new ConvNet(3);
  const weights = weightsOf(model);
  await expect(exportOnnx(engine, { model, weights, labels, preprocess })).rejects.toThrow(
    /expected \[5003,4\]/,
  );
  weights.delete('head.bias');
  await expect(
    exportOnnx(engine, { model, weights, labels: labels.slice(1), preprocess }),
  ).rejects.toThrow(/Missing: head.bias/);
});
