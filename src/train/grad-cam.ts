/** Grad-CAM: which part of a picture speaks for a class. */
import { vjp } from '../autodiff/index.js';
import type { Engine } from '../engine/index.js';
import { ShapeError } from '../errors.js';
import { filled, type HostTensor, input, type Shape, scalar, type Tensor } from '../graph/index.js';
import { type ImageClassifier, PIXELS } from '../models/index.js';
import { Context, type Weights } from '../nn/index.js';
import { mean, mul, relu, reshape, slice, sum, transpose } from '../ops/index.js';

/** Heat of one picture: [height, width] of the last feature map, not negative. */
export interface HeatMap {
  readonly height: number;
  readonly width: number;
  readonly heat: Float32Array;
}

/** Feature maps of transformers are rows of tokens; those before the grid (class, distillation) go. */
function asMap(t: Tensor): Tensor {
  if (t.rank === 4) return t;
  const [batch, tokens, width] = t.shape as [number, number, number];
  const side = Math.floor(Math.sqrt(tokens));
  const extra = tokens - side * side;
  if (t.rank !== 3 || extra > 2) {
    throw new ShapeError(
      `gradCam: the last features are ${t.shape.join(' x ')}; expected a map [batch, channels, height, width] or a square grid of tokens.`,
      { shape: t.shape },
    );
  }
  const grid = slice(t, { axes: [1], starts: [extra], ends: [tokens] });
  return transpose(reshape(grid, [batch, side, side, width]), [0, 3, 1, 2]);
}

/** Heat maps of batches of one size. */
export type GradCam = (pixels: HostTensor, classes: readonly number[]) => Promise<HeatMap[]>;

/**
 * Compiles Grad-CAM for batches of a shape: relu of the channels of the last feature map, each
 * weighted by the mean of the class score's gradient over its places.
 * @param shape of the pixels [batch, channels, height, width]
 * @param classes how many classes the model tells apart
 * @see Selvaraju et al., "Grad-CAM", 2017
 */
export async function gradCam(
  engine: Engine,
  model: ImageClassifier,
  weights: Weights,
  shape: Shape,
  classes: number,
): Promise<GradCam> {
  const context = new Context({ training: false });
  const x = input(PIXELS, 'float32', shape);
  const chosen = input('chosen', 'float32', [shape[0]!, classes]);
  const features = model.features(x, context);
  const logits = model.classify(model.pool(features, context), context);
  const [gradient] = vjp([sum(mul(logits, chosen))], [scalar(1)], [features]);
  const importance = mean(asMap(gradient!), { axes: [2, 3], keepDims: true });
  const heat = relu(sum(mul(asMap(features), importance), { axes: 1 }));
  const constants = new Map<Tensor, HostTensor>();
  for (const [path, { tensor }] of model.parameters()) {
    const value = weights.get(path);
    if (value) constants.set(tensor, value);
  }
  const program = await engine.program({ heat }, { constants });
  const [batch, height, width] = heat.shape as [number, number, number];
  return async (pixels, picked) => {
    const one = filled('float32', [batch, classes], 0);
    for (const [row, c] of picked.entries()) one.data[row * classes + c] = 1;
    const result = await program.run({ [PIXELS]: pixels, chosen: one });
    const value = await engine.runtime.download(result.heat!);
    const area = height * width;
    return picked.map((_, row) => ({
      height,
      width,
      heat: (value.data as Float32Array).slice(row * area, (row + 1) * area),
    }));
  };
}
