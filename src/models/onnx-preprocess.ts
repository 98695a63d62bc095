/** What an `.onnx` classifier is fed: what the file says, if Graft wrote it, or a guess. */

import { ConfigError } from '../errors.js';
import { constantValue, type Node, type Tensor, toNumbers } from '../graph/index.js';
import type { OnnxModel } from '../onnx/index.js';
import type { OnnxInput } from './onnx-input.js';
import { IMAGENET_PREPROCESS, type ImagePreprocess } from './preprocess.js';
import { parsePreprocessor } from './preprocess-parse.js';
import { preprocessorFor } from './preprocess-write.js';

/** Operations that move values without changing them. */
const MOVES = new Set(['transpose', 'reshape', 'cast', 'expand']);
/** Share of a picture's short side that is kept, as torchvision cuts. */
const KEPT = 224 / 256;

/** What the network itself does to pixels first: nothing, or it expects 0 to 1, or 0 to 255. */
function firstSteps(order: readonly Node[], picture: Tensor): 'none' | 'unit' | 'bytes' {
  let at = picture;
  for (;;) {
    const readers = order.filter((node) => node.inputs.includes(at));
    const [node] = readers;
    if (!node || readers.length > 1) return 'none';
    const { name } = node.op;
    if (MOVES.has(name)) {
      at = node.outputs[0]!;
      continue;
    }
    const other = node.inputs.find((t) => t !== at);
    const value = other && constantValue(other);
    if (!value || !['add', 'sub', 'mul', 'div'].includes(name)) return 'none';
    const largest = Math.max(...toNumbers(value).map(Math.abs));
    // Means and deviations of 0 to 1 lie below 1; of 0 to 255 they, or what undoes them, do not.
    const bytes = name === 'mul' ? largest < 0.1 : largest > 2;
    return bytes ? 'bytes' : 'unit';
  }
}

/**
 * Guesses the preprocessing: none of its own where the network normalises by itself, TensorFlow's
 * -1 to 1 where channels come last, else ImageNet's mean and deviation.
 * @param order nodes of the imported graph
 */
export function guessPreprocess(
  input: OnnxInput,
  order: readonly Node[],
  picture: Tensor,
): ImagePreprocess {
  const { height, width, channels, channelsLast } = input;
  const steps = firstSteps(order, picture);
  const every = (value: number) => new Array<number>(channels).fill(value);
  const { shortSide: _, ...base } = IMAGENET_PREPROCESS;
  const half = { mean: every(0.5), deviation: every(0.5) };
  const normalized =
    steps !== 'none'
      ? { mean: every(0), deviation: every(1) }
      : channels !== 3 || channelsLast
        ? half
        : {};
  return {
    ...base,
    ...normalized,
    height,
    width,
    ...(height === width
      ? { fit: 'crop' as const, shortSide: Math.round(height / KEPT) }
      : { fit: 'squash' as const }),
    rescale: steps === 'bytes' ? 1 : base.rescale,
  };
}

/**
 * The preprocessing that an export of Graft's has put into the file's metadata, checked like any
 * other file's; null when there is none that fits the input.
 */
export function statedPreprocess(
  { metadata }: OnnxModel,
  { height, width, channels }: OnnxInput,
  guess: ImagePreprocess,
): ImagePreprocess | null {
  let stated: Partial<ImagePreprocess> | null;
  try {
    stated = JSON.parse(metadata.get('preprocessing') ?? 'null');
  } catch {
    return null;
  }
  if (!Array.isArray(stated?.mean) || stated.mean.length !== channels) return null;
  if (stated.height !== height || stated.width !== width) return null;
  try {
    return parsePreprocessor(preprocessorFor(null, stated as ImagePreprocess), guess);
  } catch (error) {
    if (error instanceof ConfigError) return null;
    throw error;
  }
}
