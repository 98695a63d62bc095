/** Operators on images and feature maps: resizing, sampling, regions. */
import { constantOf, hostTensor, isFloat, type OnnxAttr, type Tensor } from '../../graph/index.js';
import * as ops from '../../ops/index.js';
import { sampleGrid } from './grid-sample.js';
import type { OnnxNode, Rule, Rules } from './rule.js';
import { MAX_MADE_ELEMENTS } from './shape.js';

/** Sizes that a resize asks for, axis by axis. */
async function resizedShape(
  node: OnnxNode,
  x: Tensor,
): Promise<{ shape: number[]; scales: number[] }> {
  const axes = node.ints('axes', [...x.shape.keys()]).map((a) => node.axis(a, x.rank));
  const shape = [...x.shape];
  const scales = x.shape.map(() => 1);
  const sizesAt = node.opset >= 11 ? 3 : -1;
  const scalesAt = node.opset >= 11 ? 2 : 1;
  const asked = async (i: number) => {
    if (i < 0 || !node.has(i)) return null;
    const values = await node.numbers(i);
    // Old exporters write an empty list for the one that they do not use.
    return values.length > 0 ? values : null;
  };
  const sizes = await asked(sizesAt);
  if (sizes) {
    if (sizes.length !== axes.length)
      node.fail(`has ${sizes.length} sizes for ${axes.length} axes.`);
    const policy = node.string('keep_aspect_ratio_policy', 'stretch');
    const ratios = axes.map((a, i) => sizes[i]! / x.shape[a]!);
    const common = policy === 'not_larger' ? Math.min(...ratios) : Math.max(...ratios);
    for (const [i, a] of axes.entries()) {
      scales[a] = policy === 'stretch' ? ratios[i]! : common;
      shape[a] = policy === 'stretch' ? sizes[i]! : Math.round(common * x.shape[a]!);
    }
  } else {
    const factors =
      node.opset < 9
        ? node.floats('scales')
        : ((await asked(scalesAt)) ?? node.fail('has neither scales nor sizes.'));
    if (factors.length !== axes.length)
      node.fail(`has ${factors.length} scales for ${axes.length} axes.`);
    for (const [i, a] of axes.entries()) {
      if (!(factors[i]! > 0)) node.fail(`a scale is ${factors[i]}.`);
      scales[a] = factors[i]!;
      shape[a] = Math.floor(x.shape[a]! * factors[i]!);
    }
  }
  node.checkShape(shape);
  return { shape, scales };
}

/** How each coordinate system of ONNX is called in Graft. */
const COORDINATES: Readonly<Record<string, ops.Coordinates>> = {
  half_pixel: 'half-pixel',
  asymmetric: 'asymmetric',
  align_corners: 'align-corners',
};

/** Where the nearest element lies, for each output element of an axis; ties depend on the mode. */
function nearest(size: number, scale: number, coordinates: string, mode: string): number[] {
  return Array.from({ length: size }, (_, i) => {
    const at = coordinates === 'asymmetric' ? i / scale : (i + 0.5) / scale - 0.5;
    if (mode === 'floor') return Math.floor(at);
    if (mode === 'ceil') return Math.ceil(at);
    return mode === 'round_prefer_ceil' ? Math.floor(at + 0.5) : Math.ceil(at - 0.5);
  });
}

/** The resize as Graft's own operation, which has a derivative; null where it means something else. */
function graftForm(
  node: OnnxNode,
  x: Tensor,
  shape: readonly number[],
  scales: readonly number[],
  legacy: boolean,
): Tensor | null {
  const mode = node.string('mode', 'nearest');
  let how = legacy ? 'asymmetric' : node.string('coordinate_transformation_mode', 'half_pixel');
  const size = shape.slice(2);
  const factors = scales.slice(2);
  // ONNX Runtime rounds sizes down from scales in single precision.
  const exact = (f: number, i: number) =>
    Math.floor(Math.fround(Math.fround(f) * x.shape[i + 2]!)) === size[i];
  const plain =
    isFloat(x.dtype) &&
    (x.rank === 3 || x.rank === 4) &&
    scales[0] === 1 &&
    scales[1] === 1 &&
    size.every((n) => n > 0) &&
    !node.flag('antialias') &&
    !node.flag('exclude_outside');
  // Their half-pixel system differs where a single element is asked for.
  if (how === 'pytorch_half_pixel' && size.every((n) => n > 1)) how = 'half_pixel';
  const coordinates = Object.hasOwn(COORDINATES, how) ? COORDINATES[how]! : null;
  if (!plain || !coordinates || (coordinates !== 'align-corners' && !factors.every(exact)))
    return null;
  if (mode === 'linear' || mode === 'bilinear') {
    return ops.resizeOp.one([x], { size, scales: factors, mode: 'bilinear', coordinates });
  }
  if (mode !== 'nearest' || coordinates === 'align-corners') return null;
  const rounding = legacy ? 'floor' : node.string('nearest_mode', 'round_prefer_floor');
  const asked = size.map((n, i) => nearest(n, factors[i]!, how, rounding).join());
  const same = (c: string, r: string) =>
    size.every((n, i) => nearest(n, factors[i]!, c, r).join() === asked[i]);
  const form = same('asymmetric', 'floor')
    ? 'asymmetric'
    : same('half_pixel', 'round_prefer_ceil')
      ? 'half-pixel'
      : null;
  return (
    form && ops.resizeOp.one([x], { size, scales: factors, mode: 'nearest', coordinates: form })
  );
}

const resize: Rule = async (node) => {
  const x = node.tensor(0);
  const legacy = node.opType === 'Upsample' || node.opset < 11;
  const { shape, scales } = await resizedShape(node, x);
  const mode = node.string('mode', 'nearest');
  const attrs: Record<string, OnnxAttr> = {
    mode: { string: mode },
    // Before opset 11 coordinates were simply scaled.
    coordinate_transformation_mode: {
      string: legacy ? 'asymmetric' : node.string('coordinate_transformation_mode', 'half_pixel'),
    },
    nearest_mode: { string: legacy ? 'floor' : node.string('nearest_mode', 'round_prefer_floor') },
    cubic_coeff_a: { float: node.float('cubic_coeff_a', -0.75) },
    exclude_outside: { int: node.int('exclude_outside', 0) },
    extrapolation_value: { float: node.float('extrapolation_value', 0) },
    antialias: { int: node.int('antialias', 0) },
  };
  const bySize = node.opset >= 11 && node.has(3) && node.type(3).shape[0] !== 0;
  const axes = node.hasAttribute('axes')
    ? node.ints('axes').map((a) => node.axis(a, x.rank))
    : null;
  if (axes) attrs.axes = { ints: axes };
  if (bySize) {
    attrs.keep_aspect_ratio_policy = { string: node.string('keep_aspect_ratio_policy', 'stretch') };
  }
  const own = graftForm(node, x, shape, scales, legacy);
  if (own) return own;
  const roi = node.opset >= 11 ? node.optional(1) : undefined;
  const factors = (axes ?? [...x.shape.keys()]).map((a) => scales[a]!);
  return node.native({
    opType: 'Resize',
    inputs: [
      x,
      roi && roi.size > 0 ? roi : undefined,
      bySize ? undefined : constantOf(hostTensor('float32', [factors.length], factors)),
      bySize ? node.tensor(3) : undefined,
    ],
    attrs,
    outputs: [{ dtype: x.dtype, shape }],
    reason:
      'Graft has derivatives for nearest and linear resizing in its own coordinate systems only.',
  });
};

/** Coordinates -1 to 1 along an axis: at the centres of pixels, or from edge to edge. */
function coordinates(n: number, alignCorners: boolean): number[] {
  return Array.from({ length: n }, (_, i) =>
    alignCorners ? (n === 1 ? -1 : -1 + (2 * i) / (n - 1)) : (2 * i + 1) / n - 1,
  );
}

/** theta [N, 2, 3] or [N, 3, 4] applied to the coordinates of every position. */
const affineGrid: Rule = async (node) => {
  const theta = node.tensor(0);
  const [batch, , ...spatial] = node.checkShape(await node.intsAt(1));
  const count = spatial.reduce((a, b) => a * b, 1);
  const n = spatial.length;
  if (n < 2 || n > 3 || theta.rank !== 3) node.fail('works on images and volumes.');
  if (count > MAX_MADE_ELEMENTS) node.fail(`a grid of ${count} positions is too large.`);
  const align = node.flag('align_corners');
  const lines = spatial.map((d) => coordinates(d, align));
  const base = new Float64Array(count * (n + 1));
  for (let i = 0; i < count; i++) {
    let rest = i;
    for (let axis = n - 1; axis >= 0; axis--) {
      // The last axis (width) is the first coordinate.
      base[i * (n + 1) + (n - 1 - axis)] = lines[axis]![rest % spatial[axis]!]!;
      rest = Math.floor(rest / spatial[axis]!);
    }
    base[i * (n + 1) + n] = 1;
  }
  const grid = constantOf(hostTensor(theta.dtype, [count, n + 1], base));
  return ops.reshape(ops.matmul(grid, ops.transpose(theta)), [batch!, ...spatial, n]);
};

const gridSample: Rule = (node) => {
  const [x, grid] = [node.tensor(0), node.tensor(1)];
  // Opset 20 renamed the modes when volumes came in.
  const names: Readonly<Record<string, string>> = { bilinear: 'linear', bicubic: 'cubic' };
  const asked = node.string('mode', 'linear');
  const mode = Object.hasOwn(names, asked) ? names[asked]! : asked;
  const padding = node.string('padding_mode', 'zeros');
  const alignCorners = node.flag('align_corners');
  const own = x.rank === 4 && mode === 'linear' && (padding === 'zeros' || padding === 'border');
  return node.native({
    opType: 'GridSample',
    inputs: [x, grid],
    attrs: {
      mode: { string: mode },
      padding_mode: { string: padding },
      align_corners: { int: alignCorners ? 1 : 0 },
    },
    outputs: [{ dtype: x.dtype, shape: [...x.shape.slice(0, 2), ...grid.shape.slice(1, -1)] }],
    reason:
      'Graft has a derivative for bilinear sampling of images with zeros or the edge around them.',
    ...(own ? { equivalent: ([t, g]) => [sampleGrid(t!, g!, { padding, alignCorners })] } : {}),
  });
};

const roiAlign: Rule = (node) => {
  const [x, rois] = [node.tensor(0), node.tensor(1)];
  const size = [node.int('output_height', 1), node.int('output_width', 1)];
  return node.native({
    opType: 'RoiAlign',
    inputs: node.all(),
    attrs: {
      mode: { string: node.string('mode', 'avg') },
      output_height: { int: size[0]! },
      output_width: { int: size[1]! },
      sampling_ratio: { int: node.int('sampling_ratio', 0) },
      spatial_scale: { float: node.float('spatial_scale', 1) },
      coordinate_transformation_mode: {
        string: node.string(
          'coordinate_transformation_mode',
          node.opset < 16 ? 'output_half_pixel' : 'half_pixel',
        ),
      },
    },
    outputs: [{ dtype: x.dtype, shape: [rois.shape[0] ?? 0, x.shape[1] ?? 0, ...size] }],
    reason: 'Graft has no derivative for pooling over regions.',
  });
};

const maxRoiPool: Rule = (node) => {
  const [x, rois] = [node.tensor(0), node.tensor(1)];
  const pooled = node.ints('pooled_shape');
  return node.native({
    opType: 'MaxRoiPool',
    inputs: [x, rois],
    attrs: {
      pooled_shape: { ints: pooled },
      spatial_scale: { float: node.float('spatial_scale', 1) },
    },
    outputs: [{ dtype: x.dtype, shape: [rois.shape[0] ?? 0, x.shape[1] ?? 0, ...pooled] }],
    reason: 'Graft has no derivative for pooling over regions.',
  });
};

const col2Im: Rule = async (node) => {
  const x = node.tensor(0);
  const image = await node.intsAt(1);
  const block = await node.intsAt(2);
  const n = image.length;
  const channels = x.shape[1]! / block.reduce((a, b) => a * b, 1);
  if (x.rank !== 3 || !Number.isInteger(channels))
    node.fail('needs [batch, channels x block, positions].');
  return node.native({
    opType: 'Col2Im',
    inputs: node.all(),
    attrs: {
      dilations: { ints: node.ints('dilations', new Array<number>(n).fill(1)) },
      pads: { ints: node.ints('pads', new Array<number>(2 * n).fill(0)) },
      strides: { ints: node.ints('strides', new Array<number>(n).fill(1)) },
    },
    outputs: [{ dtype: x.dtype, shape: [x.shape[0]!, channels, ...image] }],
    reason: 'Graft has no derivative for Col2Im; use a transposed convolution.',
  });
};

const deformConv: Rule = (node) => {
  const [x, w, offset] = [node.tensor(0), node.tensor(1), node.tensor(2)];
  const n = x.rank - 2;
  const kernel = node.ints('kernel_shape', w.shape.slice(2));
  return node.native({
    opType: 'DeformConv',
    inputs: Array.from({ length: 5 }, (_, i) => node.optional(i)),
    attrs: {
      kernel_shape: { ints: kernel },
      dilations: { ints: node.ints('dilations', new Array<number>(n).fill(1)) },
      strides: { ints: node.ints('strides', new Array<number>(n).fill(1)) },
      pads: { ints: node.ints('pads', new Array<number>(2 * n).fill(0)) },
      group: { int: node.int('group', 1) },
      offset_group: { int: node.int('offset_group', 1) },
    },
    outputs: [{ dtype: x.dtype, shape: [x.shape[0]!, w.shape[0]!, ...offset.shape.slice(2)] }],
    reason: 'Graft has no derivative for deformable convolution.',
  });
};

const det: Rule = (node) => {
  const x = node.tensor(0);
  return node.native({
    opType: 'Det',
    inputs: [x],
    outputs: [{ dtype: x.dtype, shape: x.shape.slice(0, -2) }],
    reason: 'Graft has no derivative for determinants.',
  });
};

/** Rules of operators on images. */
export const visionRules: Rules = {
  Resize: resize,
  Upsample: resize,
  AffineGrid: affineGrid,
  GridSample: gridSample,
  RoiAlign: roiAlign,
  MaxRoiPool: maxRoiPool,
  Col2Im: col2Im,
  DeformConv: deformConv,
  Det: det,
};
