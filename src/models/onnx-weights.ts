/** Weights of an `.onnx` file: which are trained, what they start from without the file's values. */
import { filled, type Shape, sizeOf } from '../graph/index.js';
import { type Initializer, kaimingNormal, normalInit, onesInit, zerosInit } from '../nn/index.js';
import type { InitializerInfo, OnnxModel } from '../onnx/index.js';

/** Operators whose constants are numbers of a formula or of the preprocessing, never weights. */
const FORMULA = new Set([
  'Clip',
  'Div',
  'Equal',
  'Greater',
  'Less',
  'Max',
  'Min',
  'Mod',
  'Pad',
  'Pow',
  'Resize',
  'Sub',
  'Upsample',
  'Where',
]);

const NORMS = new Set([
  'BatchNormalization',
  'GroupNormalization',
  'InstanceNormalization',
  'LayerNormalization',
]);

const SLOPES = new Set(['PRelu']);
const CONVOLUTIONS = new Set(['Conv']);

/**
 * True for a weight that an optimizer may move: no running statistics, which stay what they are
 * (a batch norm of a file is a frozen one), no numbers of formulas, and no single numbers.
 */
export function isTrained({ shape, uses }: InitializerInfo): boolean {
  const isWeight = ({ opType, index }: InitializerInfo['uses'][number]) =>
    !FORMULA.has(opType) && !(opType === 'BatchNormalization' && index >= 3);
  const slope = uses.some((u) => SLOPES.has(u.opType));
  return shape.length > 0 && (sizeOf(shape) > 1 || slope) && uses.every(isWeight);
}

/** Inputs that reach an output and outputs that an input reaches, on average. */
function meanFan(shape: Shape): number {
  const [rows = 1, columns = 1] = shape;
  return ((rows + columns) * sizeOf(shape.slice(2))) / 2;
}

/**
 * What a weight starts from when training begins at random, by what reads it. A file does not say
 * what its authors had; these keep the variance of activations (He et al., 2015; Glorot and
 * Bengio, 2010).
 */
export function startOf({ shape, uses }: InitializerInfo): Initializer {
  const reads = (opTypes: ReadonlySet<string>, index: number) =>
    uses.some((u) => opTypes.has(u.opType) && u.index === index);
  if (reads(NORMS, 1)) return onesInit();
  // PyTorch's start of a PReLU.
  if (reads(SLOPES, 1)) return (_, own, dtype) => filled(dtype, own, 0.25);
  if (reads(CONVOLUTIONS, 1)) return kaimingNormal('fanIn');
  if (shape.length >= 2 && !uses.some((u) => u.opType === 'Add')) {
    return normalInit(Math.sqrt(1 / Math.max(1, meanFan(shape))));
  }
  return uses.some((u) => u.opType === 'Mul') ? onesInit() : zerosInit();
}

/** ONNX's number for float32. */
const FLOAT = 1;

/** The model with weights that some exporters write as constant nodes among its weights. */
export function constantsAsWeights(model: OnnxModel): OnnxModel {
  const { graph } = model;
  const initializer = [...graph.initializer];
  const node = graph.node.filter((n) => {
    const t = n.opType === 'Constant' && n.attribute.find((a) => a.name === 'value')?.t;
    const [name] = n.output;
    const single = !t || t.dims.reduce((size, d) => size * d, 1n) <= 1n;
    if (!t || !name || single || t.dataType !== FLOAT || t.externalData.length > 0) return true;
    initializer.push({ ...t, name });
    return false;
  });
  return { ...model, graph: { ...graph, node, initializer } };
}
