/** Fourier transforms, window functions and filter banks. */
import { constant, type OnnxAttr, scalar } from '../../graph/index.js';
import * as ops from '../../ops/index.js';
import { framesOf, hasMatrix, transformAlong } from './fourier.js';
import type { Rule, Rules } from './rule.js';
import { MAX_MADE_ELEMENTS } from './shape.js';

const NO_FOURIER_GRADIENT =
  'Graft has no derivative for Fourier transforms carried over from ONNX.';

const dft: Rule = async (node) => {
  const x = node.tensor(0);
  // The axis became an input in opset 20, and counts from the end since.
  const asked = node.opset < 20 ? node.int('axis', 1) : await node.numberAt(2, -2);
  const axis = node.axis(asked, x.rank);
  const length = await node.numberAt(1, x.shape[axis]!);
  const [inverse, onesided] = [node.flag('inverse'), node.flag('onesided')];
  const shape = [...x.shape];
  const last = x.rank - 1;
  if (axis === last) node.fail('transforms the axis that holds real and imaginary parts.');
  if (onesided && inverse) {
    // Half a spectrum stands for the whole one: without a length, an even one is meant.
    shape[axis] = node.has(1) ? length : 2 * (x.shape[axis]! - 1);
    shape[last] = 1;
  } else {
    shape[axis] = onesided ? Math.floor(length / 2) + 1 : length;
    shape[last] = 2;
  }
  const how = { length, bins: shape[axis]!, inverse };
  return node.native({
    opType: 'DFT',
    inputs: [x, node.has(1) ? node.tensor(1) : undefined, scalar(axis, 'int64')],
    attrs: { inverse: { int: inverse ? 1 : 0 }, onesided: { int: onesided ? 1 : 0 } },
    outputs: [{ dtype: x.dtype, shape }],
    reason: NO_FOURIER_GRADIENT,
    ...(hasMatrix(how) && !(onesided && inverse)
      ? { equivalent: ([t]) => [transformAlong(t!, axis, how)] }
      : {}),
  });
};

const stft: Rule = async (node) => {
  const x = node.tensor(0);
  const step = await node.numberAt(1);
  const window = node.optional(2);
  const length = node.has(3)
    ? await node.numberAt(3)
    : (window?.size ?? node.fail('has no frame length.'));
  const onesided = node.flag('onesided', true);
  const frames = Math.floor((x.shape[1]! - length) / step) + 1;
  if (!(step >= 1) || !(length >= 1) || frames < 0)
    node.fail(`frames of ${length} every ${step} do not fit.`);
  const how = { length, bins: onesided ? Math.floor(length / 2) + 1 : length, inverse: false };
  return node.native({
    opType: 'STFT',
    inputs: [x, node.tensor(1), window, node.optional(3)],
    attrs: { onesided: { int: onesided ? 1 : 0 } },
    outputs: [
      {
        dtype: x.dtype,
        shape: [x.shape[0]!, frames, onesided ? Math.floor(length / 2) + 1 : length, 2],
      },
    ],
    reason: NO_FOURIER_GRADIENT,
    ...(hasMatrix(how) && frames * length <= MAX_MADE_ELEMENTS
      ? { equivalent: ([t, , w]) => [framesOf(t!, w, frames, step, how)] }
      : {}),
  });
};

/** A window as a sum of cosines: sum of c_k cos(2 pi k n / N). */
function cosineWindow(coefficients: readonly number[]): Rule {
  return async (node) => {
    const size = await node.numberAt(0);
    if (!(size >= 0) || size > MAX_MADE_ELEMENTS) node.fail(`a window of ${size} elements.`);
    const period = node.flag('periodic', true) ? size : size - 1;
    const values = Array.from({ length: size }, (_, n) =>
      coefficients.reduce((sum, c, k) => sum + c * Math.cos((2 * Math.PI * k * n) / period), 0),
    );
    return constant(values, node.dtype('output_datatype', 'float32'), [size]);
  };
}

const melWeights: Rule = async (node) => {
  const bins = await node.numberAt(0);
  const length = await node.numberAt(1);
  const attrs: Record<string, OnnxAttr> = {};
  const dtype = node.dtype('output_datatype', 'float32');
  attrs.output_datatype = { int: ops.onnxDType(dtype) };
  return node.native({
    opType: 'MelWeightMatrix',
    inputs: node.all(),
    attrs,
    outputs: [{ dtype, shape: [Math.floor(length / 2) + 1, bins] }],
    reason: 'A filter bank does not depend on anything trained.',
  });
};

/** Rules of signal processing. */
export const signalRules: Rules = {
  DFT: dft,
  STFT: stft,
  HannWindow: cosineWindow([0.5, -0.5]),
  HammingWindow: cosineWindow([25 / 46, -21 / 46]),
  BlackmanWindow: cosineWindow([0.42, -0.5, 0.08]),
  MelWeightMatrix: melWeights,
};
