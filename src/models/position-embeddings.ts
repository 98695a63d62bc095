/** Position embeddings for pictures of another size than the one they were trained for. */
import { ConfigError, WeightsError } from '../errors.js';
import { type HostTensor, hostTensor, toNumbers } from '../graph/index.js';
import type { Weights } from '../nn/index.js';
import type { VisionTransformerConfig } from './vision-transformer-config.js';

/** Free parameter of the cubic kernel; PyTorch's `interpolate` has this one. */
const CUBIC = -0.75;

/** Weight of an element at a distance from the point that is looked up. */
function cubic(distance: number): number {
  const d = Math.abs(distance);
  if (d <= 1) return ((CUBIC + 2) * d - (CUBIC + 3)) * d * d + 1;
  if (d < 2) return (((d - 5) * d + 8) * d - 4) * CUBIC;
  return 0;
}

/** For each element of the new axis, the elements of the old one that it mixes, with weights. */
function mixes(from: number, to: number): [number, number][][] {
  return Array.from({ length: to }, (_, i) => {
    const at = ((i + 0.5) * from) / to - 0.5;
    const low = Math.floor(at);
    return [-1, 0, 1, 2].map((step): [number, number] => {
      const index = Math.min(Math.max(low + step, 0), from - 1);
      return [index, cubic(at - (low + step))];
    });
  });
}

/**
 * Resamples position embeddings to another grid of patches, bicubically, as transformers does
 * (`interpolate_pos_encoding`). The extra tokens' embeddings stay. Done once on the weights.
 * @param embeddings [1, extra tokens + patches, width]; the patches of a square grid
 * @param grid rows and columns of patches wanted
 * @param extraTokens 1 for a class token, 2 with a distillation token
 * @throws WeightsError when the patches form no square
 */
export function resizePositions(
  embeddings: HostTensor,
  grid: readonly [number, number],
  extraTokens: number,
): HostTensor {
  const [one, tokens = 0, width = 0] = embeddings.shape;
  const side = Math.round(Math.sqrt(tokens - extraTokens));
  if (
    embeddings.shape.length !== 3 ||
    one !== 1 ||
    side < 1 ||
    side ** 2 !== tokens - extraTokens
  ) {
    throw new WeightsError(
      `Position embeddings [${embeddings.shape.join(',')}] are not ${extraTokens} and a square of patches, so they cannot be resampled to ${grid.join(' x ')}. Load the model for the picture size it was trained with.`,
      { shape: embeddings.shape, grid },
    );
  }
  const [rows, columns] = grid;
  const values = toNumbers(embeddings);
  const kept = extraTokens * width;
  const result = new Float32Array(kept + rows * columns * width);
  result.set(values.slice(0, kept));
  const across = mixes(side, columns);
  for (const [row, down] of mixes(side, rows).entries()) {
    for (const [column, along] of across.entries()) {
      const to = kept + (row * columns + column) * width;
      for (const [y, weightY] of down) {
        for (const [x, weightX] of along) {
          const from = kept + (y * side + x) * width;
          const weight = weightY * weightX;
          for (let i = 0; i < width; i++) result[to + i]! += weight * values[from + i]!;
        }
      }
    }
  }
  return hostTensor('float32', [1, extraTokens + rows * columns, width], result);
}

/**
 * A vision transformer's configuration and weights for pictures of another size.
 * @param path where the position embeddings are
 * @throws ConfigError when a picture would be smaller than a patch
 */
export function resizeVisionTransformer<C extends VisionTransformerConfig>(
  config: C,
  weights: ReadonlyMap<string, HostTensor>,
  { height, width }: { readonly height: number; readonly width: number },
  path: string,
): { config: C; weights: Weights } {
  const [patchHeight, patchWidth] = config.patchSize;
  const grid = [Math.floor(height / patchHeight), Math.floor(width / patchWidth)] as const;
  if (!(grid[0] >= 1 && grid[1] >= 1)) {
    throw new ConfigError(
      `Pictures of ${height} x ${width} pixels are smaller than one patch of ${patchHeight} x ${patchWidth}. Choose a larger size.`,
      { height, width, patchSize: config.patchSize },
    );
  }
  const before = weights.get(path);
  if (!before) throw new WeightsError(`There is no tensor '${path}'.`, { name: path });
  const [rows, columns] = config.imageSize.map((n, i) => Math.floor(n / config.patchSize[i]!));
  const extraTokens = (before.shape[1] ?? 0) - rows! * columns!;
  const same = rows === grid[0] && columns === grid[1];
  const after = same ? before : resizePositions(before, grid, extraTokens);
  return {
    config: { ...config, imageSize: [height, width] },
    weights: new Map([...weights, [path, after]]),
  };
}
