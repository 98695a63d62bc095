import { expect, test } from 'vitest';
import { testEngine } from '../../test/support/engine.js';
import { SmallClassifier, ToyImages } from '../../test/support/toy-images.js';
import { type HostTensor, input, type Tensor } from '../graph/index.js';
import { Context, initialize, Linear } from '../nn/index.js';
import { concat, flatten, reshape, slice, transpose } from '../ops/index.js';
import { gradCam } from './grad-cam.js';

async function firstPixels(): Promise<HostTensor> {
  for await (const { feeds } of new ToyImages(8, 1).read({ epoch: 0, training: false })) {
    return feeds.pixels!;
  }
  throw new Error('no batch');
}

test('after global pooling and a linear head the heat is relu of the weighted channels', async () => {
  const engine = await testEngine();
  const model = new SmallClassifier();
  const weights = initialize(model, 1);
  const pixels = await firstPixels();
  const x = input('x', 'float32', pixels.shape);
  const features = model.features(x, new Context({ training: false }));
  const feeds = new Map<Tensor, HostTensor>([[x, pixels]]);
  for (const [path, { tensor }] of model.parameters()) feeds.set(tensor, weights.get(path)!);
  const used = new Map(
    [...feeds].filter(([t]) => t !== model.head.weight.tensor && t !== model.head.bias!.tensor),
  );
  const [maps] = await engine.evaluate([features], used);

  const cam = await gradCam(engine, model, weights, pixels.shape, 3);
  const heats = await cam(pixels, [0, 1, 2, 0, 1, 2, 0, 1]);
  const w = weights.get('head.weight')!.data as Float32Array;
  const a = maps!.data as Float32Array;
  for (const [row, { heat, height, width }] of heats.entries()) {
    expect([height, width]).toEqual([6, 6]);
    const area = 36;
    for (let i = 0; i < area; i++) {
      let sum = 0;
      for (let c = 0; c < 6; c++)
        sum += (w[(row % 3) * 6 + c]! / area) * a[(row * 6 + c) * area + i]!;
      expect(heat[i]).toBeCloseTo(Math.max(0, sum), 6);
    }
  }
});

test('tokens of a transformer are laid out as a map, the class token left out', async () => {
  class Tokens extends SmallClassifier {
    readonly flat = new Linear(6 * 37, 3);
    override features(x: Tensor, context: Context) {
      const map = super.features(x, context);
      const batch = map.shape[0]!;
      const grid = transpose(reshape(map, [batch, 6, 36]), [0, 2, 1]);
      return concat([slice(grid, { axes: [1], starts: [0], ends: [1] }), grid], 1);
    }
    override pool(features: Tensor) {
      return flatten(features);
    }
    override classify(pooled: Tensor) {
      return this.flat.forward(pooled);
    }
  }
  const engine = await testEngine();
  const model = new Tokens();
  const pixels = await firstPixels();
  const cam = await gradCam(engine, model, initialize(model, 1), pixels.shape, 3);
  const heats = await cam(pixels, [0, 1, 2, 0, 1, 2, 0, 1]);
  expect([heats[0]!.height, heats[0]!.width]).toEqual([6, 6]);
  expect(heats.some(({ heat }) => heat.some((v) => v > 0))).toBe(true);
});
