import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import {
  AutoImageProcessor,
  AutoModelForImageClassification,
  env,
  Tensor as JsTensor,
  pipeline,
  RawImage,
} from '@huggingface/transformers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { testEngine } from '../../test/support/engine.js';
import { tinyClassifier } from '../../test/support/tiny-classifiers.js';
import { type HostTensor, hostTensor, input, type Tensor } from '../graph/index.js';
import { openCheckpointFolder, readSafetensors } from '../io/index.node.js';
import { loadImageClassifier } from '../models/index.js';
import { Context } from '../nn/index.js';
import { softmax } from '../ops/index.js';
import { makeKey, uniformAt } from '../util/index.js';
import { exportOnnx, type KnownClassifier } from './index.js';
import { exportHuggingFace, exportOnnxFile } from './index.node.js';
import { writeOnnx } from './write-onnx.js';

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'export-'));
  env.allowRemoteModels = false;
  env.localModelPath = root;
  env.useFSCache = false;
});
afterAll(() => rmSync(root, { recursive: true }));

const SIDE = 32;

function pixels(batch: number): HostTensor {
  const key = makeKey(batch);
  const data = Array.from({ length: batch * 3 * SIDE * SIDE }, (_, i) => 2 * uniformAt(key, i) - 1);
  return hostTensor('float32', [batch, 3, SIDE, SIDE], data);
}

/** Graft's own probabilities. */
async function probabilities(
  { model, weights }: KnownClassifier,
  x: HostTensor,
): Promise<number[]> {
  const t = input('x', 'float32', x.shape);
  const feeds = new Map<Tensor, HostTensor>([[t, x]]);
  for (const [path, p] of model.parameters()) feeds.set(p.tensor, weights.get(path)!);
  const y = softmax(model.forward(t, new Context({ training: false })));
  return Array.from((await (await testEngine()).evaluate([y], feeds))[0]!.data as Float32Array);
}

const json = (folder: string, file: string) =>
  JSON.parse(readFileSync(join(folder, file), 'utf8')) as Record<string, unknown>;

const KNOWN = ['mobilenet_v2', 'resnet', 'vit', 'deit', 'convnext', 'efficientnet', 'mobilenet_v1'];

describe.each(KNOWN)('an exported %s', (modelType) => {
  let source: KnownClassifier;
  let folder: string;
  beforeAll(async () => {
    source = await tinyClassifier(modelType);
    const written = await exportHuggingFace(join(root, modelType), await testEngine(), source);
    ({ folder } = written);
    expect(written.files).toEqual([
      'README.md',
      'config.json',
      'model.safetensors',
      'onnx/model.onnx',
      'preprocessor_config.json',
    ]);
    expect(written.loaders.transformers).toMatch(/ForImageClassification/);
    expect(written.loaders.transformersJs).toBe(true);
  });

  test('gives Graft’s probabilities in transformers.js', async () => {
    const model = await AutoModelForImageClassification.from_pretrained(modelType, {
      dtype: 'fp32',
      device: 'cpu',
    });
    for (const batch of [1, 3]) {
      const x = pixels(batch);
      const feed = new JsTensor('float32', x.data as Float32Array, [...x.shape]);
      const { logits } = await model({ pixel_values: feed });
      expect(logits.dims).toEqual([batch, 3]);
      const got = Array.from({ length: batch }, (_, i) =>
        Array.from(logits.data.slice(3 * i, 3 * i + 3) as Float32Array),
      ).flatMap((row) => {
        const e = row.map((v) => Math.exp(v - Math.max(...row)));
        return e.map((v) => v / e.reduce((a, b) => a + b));
      });
      const want = await probabilities(source, x);
      // Probabilities that do not depend on the picture would agree by themselves.
      expect(Math.max(...want) - Math.min(...want)).toBeGreaterThan(1e-2);
      for (const [i, w] of want.entries()) expect(Math.abs(got[i]! - w)).toBeLessThan(1e-4);
    }
    await model.dispose();
  });

  test('runs on a picture with its own processor', async () => {
    const key = makeKey(5);
    const data = Uint8Array.from({ length: 48 * 40 * 3 }, (_, i) => 256 * uniformAt(key, i));
    const picture = new RawImage(data, 48, 40, 3);
    const processor = await AutoImageProcessor.from_pretrained(modelType, {});
    const { pixel_values } = await processor(picture);
    expect(pixel_values.dims).toEqual([1, 3, SIDE, SIDE]);
    const classify = await pipeline('image-classification', modelType, {
      dtype: 'fp32',
      device: 'cpu',
    });
    const answers = (await classify(picture, { top_k: 3 })) as { label: string; score: number }[];
    expect(answers.map((a) => a.label).sort()).toEqual([...source.config.labels].sort());
    const want = await probabilities(
      source,
      hostTensor('float32', pixel_values.dims, pixel_values.data as Float32Array),
    );
    for (const { label, score } of answers) {
      expect(Math.abs(score - want[source.config.labels.indexOf(label)]!)).toBeLessThan(1e-4);
    }
    await classify.dispose();
  });

  test('is loaded again by Graft with the same weights, labels and preprocessing', async () => {
    const loaded = await loadImageClassifier(await openCheckpointFolder(folder));
    expect(loaded.config).toEqual(source.config);
    expect(loaded.weights).toEqual(source.weights);
    expect(loaded.preprocess).toEqual(source.preprocess);
    expect(loaded.untrained).toEqual([]);
  });
});

test('what transformers does not know is written all the same, and said', async () => {
  const source = await tinyClassifier('squeezenet');
  const { folder, files, loaders } = await exportHuggingFace(
    join(root, 'squeezenet'),
    await testEngine(),
    source,
    { card: { base: { name: 'someone/squeezenet', license: 'bsd-3-clause' } } },
  );
  expect(loaders).toEqual({ transformers: null, timm: null, transformersJs: false });
  expect(files).toContain('onnx/model.onnx');
  const card = readFileSync(join(folder, 'README.md'), 'utf8');
  expect(card).toContain('Neither transformers');
  expect(card).toContain('license: bsd-3-clause');
  const { tensors, metadata } = await readSafetensors(join(folder, 'model.safetensors'));
  expect(metadata).toEqual({ format: 'pt' });
  expect(tensors).toEqual(new Map([...source.weights].sort(([a], [b]) => (a < b ? -1 : 1))));
});

test('an exported folder is written anew, somebody else’s is not', async () => {
  const source = await tinyClassifier('mobilenet_v1');
  const folder = join(root, 'twice');
  const engine = await testEngine();
  await exportHuggingFace(folder, engine, source);
  const labels = ['one', 'two', 'three'];
  await exportHuggingFace(folder, engine, { ...source, config: { ...source.config, labels } });
  expect(json(folder, 'config.json').id2label).toEqual({ 0: 'one', 1: 'two', 2: 'three' });
  const other = join(root, 'theirs');
  mkdirSync(other);
  writeFileSync(join(other, 'config.json'), '{"model_type": "resnet"}');
  await expect(exportHuggingFace(other, engine, source)).rejects.toMatchObject({ code: 'exists' });
  expect(readFileSync(join(other, 'config.json'), 'utf8')).toBe('{"model_type": "resnet"}');
  await exportHuggingFace(other, engine, source, { force: true });
  expect(json(other, 'config.json').model_type).toBe('mobilenet_v1');
  expect(readdirSync(root).filter((f) => /tmp|old/.test(f))).toEqual([]);
});

describe('a single ONNX file', () => {
  test('is described beside', async () => {
    const { model, weights, config, preprocess } = await tinyClassifier('vit');
    const path = join(root, 'new', 'net.onnx');
    const source = { model, weights, labels: config.labels, preprocess };
    const metadata = { license: 'mit' };
    const files = await exportOnnxFile(path, await testEngine(), source, { metadata });
    expect(files).toEqual([path, join(root, 'new', 'net.json')]);
    expect(json(join(root, 'new'), 'net.json')).toMatchObject({
      task: 'image-classification',
      license: 'mit',
      inputs: [{ name: 'pixel_values', dtype: 'float32', shape: ['batch', 3, SIDE, SIDE] }],
      outputs: [{ name: 'logits', dtype: 'float32', shape: ['batch', 3] }],
      labels: config.labels,
      preprocessing: { height: SIDE, layout: 'NCHW', channelOrder: 'RGB' },
    });
  });

  test('keeps weights that are too large for it in a file beside, where transformers.js looks', async () => {
    const source = await tinyClassifier('mobilenet_v2');
    const { folder } = await exportHuggingFace(join(root, 'large'), await testEngine(), source);
    const { model, weights, config, preprocess } = source;
    const onnx = await exportOnnx(await testEngine(), {
      model,
      weights,
      labels: config.labels,
      preprocess,
    });
    const path = join(folder, 'onnx', 'model.onnx');
    const { external, files } = await writeOnnx(path, onnx, 10_000);
    expect(external).toBe(true);
    expect(files.map((f) => basename(f))).toEqual(['model.onnx_data', 'model.onnx']);
    const net = await AutoModelForImageClassification.from_pretrained('large', {
      dtype: 'fp32',
      device: 'cpu',
      use_external_data_format: true,
    });
    const x = pixels(2);
    const feed = new JsTensor('float32', x.data as Float32Array, [...x.shape]);
    const { logits } = await net({ pixel_values: feed });
    const want = await probabilities(source, x);
    const [a, b] = logits.data as Float32Array;
    expect(Math.log(want[0]! / want[1]!)).toBeCloseTo(a! - b!, 3);
    await net.dispose();
  });
});
