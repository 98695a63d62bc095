/** Real pre-trained weights: the logits are those of transformers and torchvision. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { expectClose } from '../../test/support/compare.js';
import { testEngine } from '../../test/support/engine.js';
import { goldenNoise } from '../../test/support/model-golden.js';
import { type HostTensor, hostTensor, input, type Tensor, toNumbers } from '../graph/index.js';
import { openCheckpointFolder, readSafetensors } from '../io/index.node.js';
import { Context } from '../nn/index.js';
import { type LoadedClassifier, loadImageClassifier } from './index.js';

const root = fileURLToPath(new URL('../../../shared/data/weights/', import.meta.url));
const there = existsSync(root);
const golden = await readSafetensors(
  fileURLToPath(new URL('../../test/golden/real-weights.safetensors', import.meta.url)),
);

async function logitsOf({ model, weights }: LoadedClassifier, pixels: HostTensor) {
  const x = input('pixels', 'float32', pixels.shape);
  const feeds = new Map<Tensor, HostTensor>([[x, pixels]]);
  for (const [path, p] of model.parameters()) feeds.set(p.tensor, weights.get(path)!);
  const engine = await testEngine();
  const [logits] = await engine.evaluate(
    [model.forward(x, new Context({ training: false }))],
    feeds,
  );
  return logits!;
}

describe.skipIf(!there)(`real weights${there ? '' : ': ../shared/data is not there'}`, () => {
  test.each([
    ['squeezenet1_1', 'squeezenet', 1_235_496, 1000],
    ['mobilenet_v2_1.0_224', 'mobilenet_v2', 3_506_153, 1001],
    ['mobilenet_v1_0.25_128', 'mobilenet_v1', 470_329, 1001],
  ])('%s: logits agree to 1e-3', async (name, modelType, parameters, classes) => {
    const loaded = await loadImageClassifier(await openCheckpointFolder(`${root}${name}`));
    expect(loaded.definition.modelType).toBe(modelType);
    expect(loaded.scheme).toBe(name === 'squeezenet1_1' ? 'torchvision' : 'huggingface');
    expect(loaded.untrained).toEqual([]);
    expect(loaded.config.labels).toHaveLength(classes);
    let count = 0;
    for (const [path, p] of loaded.model.parameters()) {
      expect(loaded.weights.get(path)!.dtype).toBe('float32');
      if (p.kind === 'weight') count += p.tensor.size;
    }
    expect(count).toBe(parameters);

    const { shape, seed, scale } = JSON.parse(golden.metadata[name]!);
    const noise = goldenNoise(shape, seed);
    const pixels = hostTensor(
      'float32',
      shape,
      toNumbers(noise).map((v) => v * scale),
    );
    const want = golden.tensors.get(`${name}/logits`)!;
    expectClose(
      name,
      await logitsOf(loaded, pixels),
      { shape: want.shape, data: toNumbers(want) },
      { rtol: 0, atol: 1e-3 },
    );
  });

  test('preprocessing travels with the weights', async () => {
    const of = async (name: string) =>
      (await loadImageClassifier(await openCheckpointFolder(`${root}${name}`))).preprocess;
    expect(await of('squeezenet1_1')).toMatchObject({ fit: 'squash', height: 227, width: 227 });
    expect(await of('mobilenet_v2_1.0_224')).toMatchObject({
      fit: 'crop',
      shortSide: 256,
      height: 224,
      mean: [0.5, 0.5, 0.5],
    });
    expect(await of('mobilenet_v1_0.25_128')).toMatchObject({
      fit: 'crop',
      shortSide: 160,
      height: 128,
      resample: 'bilinear',
    });
  });
});
