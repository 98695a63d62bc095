/**
 * One model an operator, imported and run, against ONNX Runtime on the original model: every family
 * of rules, at an old opset and at a new one where the form changed. `npm run conformance` runs
 * ONNX's own thousand and more cases.
 */
import * as ort from 'onnxruntime-node';
import { expect, test } from 'vitest';
import { expectClose } from '../../test/support/compare.js';
import { testEngine } from '../../test/support/engine.js';
import {
  type AttrValue,
  bytes,
  info,
  model,
  node,
  ramp,
  tensor,
} from '../../test/support/onnx-models.js';
import { type DType, type HostTensor, hostTensor, type Tensor, toNumbers } from '../graph/index.js';
import { importOnnx } from './import.js';

const f = (shape: number[], ...data: number[]) => hostTensor('float32', shape, data);
const i = (...data: number[]) => hostTensor('int64', [data.length], data);
const i0 = (v: number) => hostTensor('int64', [], [v]);
const bool = (shape: number[], ...data: number[]) => hostTensor('bool', shape, data);
const u8 = (shape: number[], ...data: number[]) => hostTensor('uint8', shape, data);
const x = ramp(2, 3, 4);
const image = ramp(1, 2, 5, 6);

type Attrs = Readonly<Record<string, AttrValue>>;
/** Operator, inputs (null for an absent one; those after the first are constants), attributes, opset, outputs. */
type Row = readonly [string, readonly (HostTensor | null)[], Attrs?, number?, number?];

const rows: Row[] = [
  // Elementwise.
  ['Mod', [f([3], 5.5, -5.5, 3), f([3], 3, 3, -2)], { fmod: 1 }],
  ['Mod', [i(5, -5, 7), i(3, 3, -2)]],
  ['Pow', [f([3], 1, 2, 3), i(2, 3, 0)]],
  ['BitShift', [u8([2], 1, 200), u8([2], 2, 3)], { direction: 'RIGHT' }, 11],
  ['BitwiseXor', [u8([2], 12, 200), u8([2], 10, 3)], {}, 18],
  ['PRelu', [x, f([4], 0.1, 0.2, 0.3, 0.4)]],
  ['Selu', [x], { alpha: { f: 1.5 }, gamma: { f: 2 } }],
  ['Celu', [x], { alpha: { f: 0.7 } }],
  ['HardSigmoid', [x], { alpha: { f: 0.5 }, beta: { f: 0.4 } }],
  ['ThresholdedRelu', [x], { alpha: { f: 0.3 } }],
  ['Shrink', [x], { lambd: { f: 0.3 }, bias: { f: 0.1 } }],
  ['Softsign', [x]],
  [
    'IsInf',
    [f([3], Number.POSITIVE_INFINITY, 1, Number.NEGATIVE_INFINITY)],
    { detect_negative: 0 },
  ],
  ['Clip', [i(-5, 0, 9), i0(-1), i0(4)]],
  ['Max', [x, f([4], 0, 0.1, -0.1, 0.5), f([1], -0.2)]],
  ['Mean', [x, f([1], 3)]],
  ['Abs', [i(-3, 2)]],
  // Shapes and indices.
  ['Reshape', [x, i(0, -1)]],
  ['Flatten', [x], { axis: 2 }],
  ['Split', [x], { axis: 2, split: [1, 3] }, 11, 2],
  ['Split', [x], { axis: 1, num_outputs: 2 }, 18, 2],
  ['Slice', [x, i(2, -1), i(-100, 1), i(2, 1), i(-1, -1)]],
  ['Pad', [x, i(1, 0, 2, 0, 1, 0), f([], 0.5)], { mode: 'constant' }],
  ['Pad', [x, i(1, 2), null, i(2)], { mode: 'reflect' }, 18],
  ['Pad', [x], { pads: [0, 0, 1, 0, 0, 1], mode: 'edge' }, 9],
  ['Tile', [x, i(1, 2, 2)]],
  ['Expand', [f([1, 3], 1, 2, 3), i(2, 1, 3)]],
  ['Trilu', [x, i0(-1)], { upper: 0 }],
  ['EyeLike', [ramp(3, 4)], { k: 1, dtype: 7 }],
  ['DepthToSpace', [ramp(1, 8, 2, 3)], { blocksize: 2, mode: 'CRD' }],
  ['DepthToSpace', [ramp(1, 8, 2, 3)], { blocksize: 2 }],
  ['SpaceToDepth', [ramp(1, 2, 4, 6)], { blocksize: 2 }],
  ['OneHot', [i(1, -1, 7), i0(4), f([2], 0.5, 2)], { axis: 0 }],
  ['ReverseSequence', [ramp(4, 3), i(2, 4, 1)], { time_axis: 0, batch_axis: 1 }],
  ['GatherElements', [ramp(2, 3), hostTensor('int64', [2, 2], [0, -1, 2, 1])], { axis: 1 }],
  ['GatherND', [x, hostTensor('int64', [2, 1], [1, 0])], { batch_dims: 1 }],
  [
    'ScatterElements',
    [ramp(2, 3), hostTensor('int64', [1, 2], [1, 0]), f([1, 2], 9, 8)],
    { axis: 0 },
  ],
  ['ScatterND', [ramp(4), hostTensor('int64', [2, 1], [1, 3]), f([2], 9, 8)]],
  [
    'ScatterND',
    [ramp(4), hostTensor('int64', [2, 1], [1, 3]), f([2], 9, 8)],
    { reduction: 'max' },
    18,
  ],
  ['Compress', [x, bool([3], 1, 0, 1)], { axis: 1 }],
  ['CenterCropPad', [ramp(5, 4), i(2, 7)], {}, 18],
  ['Shape', [x], { start: 1 }, 15],
  // Reductions and orderings.
  ['ReduceL1', [x], { axes: [1], keepdims: 0 }],
  ['ReduceL2', [x, i(0, 2)], {}, 18],
  ['ReduceLogSum', [f([2, 2], 1, 2, 3, 4)], { axes: [1] }],
  ['ReduceLogSumExp', [x], { axes: [-1] }],
  ['ReduceProd', [x], { axes: [0], keepdims: 0 }],
  ['ReduceMax', [hostTensor('int32', [2, 2], [1, 5, -3, 2])], { axes: [1] }],
  ['ReduceSumSquare', [x]],
  ['ArgMax', [f([4], 1, 3, 3, 0)], { axis: 0, select_last_index: 1 }],
  ['TopK', [x, i(2)], { axis: 1, largest: 0 }, 17, 2],
  ['TopK', [x], { axis: -1, k: 2 }, 9, 2],
  ['CumSum', [x, i0(1)], { exclusive: 1, reverse: 1 }],
  // Layers.
  [
    'Conv',
    [image, ramp(4, 1, 3, 3), ramp(4)],
    { group: 2, auto_pad: 'SAME_LOWER', strides: [2, 2] },
  ],
  ['Conv', [ramp(1, 2, 3, 4, 4), ramp(3, 2, 2, 2, 2)], { dilations: [1, 2, 1] }],
  [
    'ConvTranspose',
    [image, ramp(2, 3, 3, 3)],
    { strides: [2, 2], pads: [1, 0, 0, 1], output_padding: [1, 1] },
  ],
  ['ConvTranspose', [image, ramp(2, 3, 3, 3)], { strides: [2, 2], output_shape: [10, 12] }],
  ['MaxPool', [image], { kernel_shape: [3, 2], strides: [2, 2], pads: [1, 0, 1, 1], ceil_mode: 1 }],
  ['MaxPool', [ramp(1, 1, 4, 4, 4)], { kernel_shape: [2, 2, 2] }],
  ['AveragePool', [image], { kernel_shape: [3, 3], pads: [1, 1, 1, 1], count_include_pad: 1 }],
  ['AveragePool', [image], { kernel_shape: [3, 3], pads: [1, 1, 1, 1], strides: [2, 2] }],
  ['LpPool', [image], { kernel_shape: [2, 2], p: 3 }],
  ['GlobalAveragePool', [image]],
  [
    'Gemm',
    [ramp(3, 2), ramp(4, 3), ramp(4)],
    { transA: 1, transB: 1, alpha: { f: 0.5 }, beta: { f: 2 } },
  ],
  ['Einsum', [ramp(2, 3, 4), ramp(2, 4, 5)], { equation: 'bij,bjk->bki' }],
  ['LogSoftmax', [x], { axis: 1 }, 11],
  ['LogSoftmax', [x], { axis: 1 }, 13],
  ['Hardmax', [x], { axis: 2 }],
  [
    'NegativeLogLikelihoodLoss',
    [ramp(2, 3, 2), hostTensor('int64', [2, 2], [0, 2, 9, 1]), ramp(3)],
    { ignore_index: 9 },
  ],
  ['SoftmaxCrossEntropyLoss', [ramp(2, 3), i(2, 0)], { reduction: 'none' }, 13, 2],
  ['LRN', [image], { size: 3, alpha: { f: 0.1 } }],
  ['LpNormalization', [x], { p: 1, axis: 1 }],
  ['MeanVarianceNormalization', [image]],
  ['InstanceNormalization', [image, ramp(2), ramp(2)]],
  ['GroupNormalization', [ramp(1, 4, 3), ramp(4), ramp(4)], { num_groups: 2 }, 21],
  ['LayerNormalization', [x, ramp(3, 4), ramp(3, 4)], { axis: 1 }, 17, 3],
  ['LayerNormalization', [x, ramp(4)], { axis: -1 }, 17],
  [
    'BatchNormalization',
    [image, ramp(2), ramp(2), ramp(2), f([2], 1, 2)],
    { epsilon: { f: 0.01 } },
    9,
  ],
  // Images, signals, quantised arithmetic.
  ['Resize', [image, null, f([4], 1, 1, 1.7, 0.6)], { mode: 'cubic' }],
  ['Resize', [image, null, f([4], 1, 1, 0.5, 0.7)], { mode: 'nearest', nearest_mode: 'ceil' }],
  [
    'Resize',
    [image, null, null, i(1, 2, 7, 4)],
    { mode: 'linear', coordinate_transformation_mode: 'align_corners' },
  ],
  ['AffineGrid', [ramp(1, 2, 3), i(1, 2, 3, 4)], { align_corners: 1 }, 20],
  ['GridSample', [image, ramp(1, 3, 3, 2)], { padding_mode: 'border' }, 16],
  ['DFT', [ramp(1, 6, 1)], { axis: 1, onesided: 1 }, 17],
  ['DFT', [ramp(1, 6, 2), i0(4), i0(-2)], { inverse: 1 }, 20],
  ['STFT', [ramp(1, 16, 1), i0(4), f([6], 1, 1, 1, 1, 1, 1)], {}, 17],
  ['HannWindow', [i0(7)], { periodic: 0 }],
  ['MelWeightMatrix', [i0(4), i0(16), i0(8000), f([], 0), f([], 4000)]],
  ['QuantizeLinear', [ramp(2, 3), f([3], 0.1, 0.2, 0.05), u8([3], 1, 2, 3)], { axis: 1 }, 13],
  ['DynamicQuantizeLinear', [x], {}, 11, 3],
  ['MatMulInteger', [u8([1, 2], 3, 4), u8([2, 2], 1, 2, 3, 4), u8([], 1)], {}, 10],
  [
    'ConvInteger',
    [u8([1, 1, 3, 3], 1, 2, 3, 4, 5, 6, 7, 8, 9), u8([1, 1, 2, 2], 1, 0, 2, 1)],
    { pads: [1, 1, 0, 0] },
    10,
  ],
  ['Unique', [f([5], 2, 1, 2, 3, 1)], {}, 11, 4],
  // Attention.
  [
    'Attention',
    [ramp(1, 3, 8), ramp(1, 3, 4), ramp(1, 3, 4), bool([3, 3], 1, 0, 1, 0, 1, 1, 1, 1, 0)],
    { q_num_heads: 4, kv_num_heads: 2 },
    23,
  ],
  [
    'Attention',
    [ramp(1, 2, 3, 4), ramp(1, 2, 5, 4), ramp(1, 2, 5, 4), ramp(3, 5)],
    { is_causal: 1, scale: { f: 0.3 } },
    23,
  ],
  [
    'RotaryEmbedding',
    [ramp(1, 2, 3, 4), ramp(5, 2), ramp(5, 2), hostTensor('int64', [1, 3], [4, 0, 2])],
    { interleaved: 1 },
    23,
  ],
  [
    'RotaryEmbedding',
    [ramp(1, 3, 12), ramp(1, 3, 1), ramp(1, 3, 1)],
    { num_heads: 2, rotary_embedding_dim: 2 },
    23,
  ],
];

/** What ONNX Runtime itself makes of the model. */
async function plainly(
  source: Uint8Array,
  first: HostTensor,
  outputs: number,
): Promise<HostTensor[]> {
  const session = await ort.InferenceSession.create(source);
  const feed = new ort.Tensor(first.dtype as 'float32', first.data as Float32Array, [
    ...first.shape,
  ]);
  const results = await session.run({ i0: feed });
  await session.release();
  return Array.from({ length: outputs }, (_, k) => {
    const t = results[`o${k}`]!;
    return { dtype: t.type as DType, shape: t.dims, data: t.data as HostTensor['data'] };
  });
}

test.each(rows.map((row) => [`${row[0]}, opset ${row[3] ?? 17}`, row] as const))(
  '%s',
  async (_, row) => {
    const [op, inputs, attrs = {}, opset = 17, outputs = 1] = row;
    const engine = await testEngine();
    const first = inputs[0]!;
    const source = bytes(
      model(
        {
          input: [info('i0', first.dtype, first.shape)],
          output: Array.from({ length: outputs }, (__, k) => info(`o${k}`)).map((v) => ({
            name: v.name,
          })),
          initializer: inputs.flatMap((t, k) => (t && k > 0 ? [tensor(`i${k}`, t)] : [])),
          node: [
            node(
              op,
              inputs.map((t, k) => (t ? `i${k}` : '')),
              Array.from({ length: outputs }, (__, k) => `o${k}`),
              attrs,
            ),
          ],
        },
        { opset },
      ),
    );
    const want = await plainly(source, first, outputs);
    const net = await importOnnx(engine, source).catch((error) => {
      // Sizes that the first input decides: it is fixed, as the error asks for.
      if (error.code !== 'onnx-dynamic') throw error;
      return importOnnx(engine, source, { constants: { i0: first } });
    });
    expect(net.opaque).toEqual({});
    const feeds = new Map<Tensor, HostTensor>();
    if (net.inputs.i0) feeds.set(net.inputs.i0, first);
    const got = await engine.evaluate(Object.values(net.outputs), feeds);
    for (const [k, w] of want.entries()) {
      expect(got[k]!.dtype, `dtype of output ${k}`).toBe(w.dtype);
      const expected = { shape: w.shape, data: toNumbers(w) };
      expectClose(`output ${k}`, got[k]!, expected, { rtol: 1e-4, atol: 1e-5 });
    }
  },
);
