import { describe, expect, test } from 'vitest';
import { expectClose } from '../../test/support/compare.js';
import { testEngine } from '../../test/support/engine.js';
import { type GoldenCase, loadGolden, opContract } from '../../test/support/op-contract.js';
import { vjp } from '../autodiff/index.js';
import { ConfigError, DTypeError, ShapeError } from '../errors.js';
import { hostTensor, input, type Tensor, toNumbers, toposort } from '../graph/index.js';
import { makeKey, uniformAt } from '../util/index.js';
import {
  type ConvAttrs,
  chooseWeightGrad,
  conv1d,
  conv2d,
  convInputGradOp,
  convOp,
  convTranspose1d,
  convTranspose2d,
  convWeightGradOp,
  type InputGradForm,
  inputGradAllows,
  type WeightGradForm,
  weightGradAllows,
  winogradAllows,
} from './index.js';

/** Arguments of a golden case in the terms of the operation. */
function attrsOf(args: {
  stride: number[];
  padding: (number | [number, number])[];
  dilation: number[];
  groups: number;
}): ConvAttrs {
  const pairs = args.padding.map((p) => (typeof p === 'number' ? [p, p] : p));
  return {
    strides: args.stride,
    dilations: args.dilation,
    groups: args.groups,
    pads: [...pairs.map((p) => p[0]!), ...pairs.map((p) => p[1]!)],
  };
}

opContract('conv', ([x, w, bias], args) =>
  (x!.rank === 3 ? conv1d : conv2d)(x!, w!, { ...args, ...(bias ? { bias } : {}) }),
);
opContract('convInputGrad', ([g, w], { size, ...args }) =>
  convInputGradOp.one([g!, w!], { ...attrsOf(args), size }),
);
opContract('convWeightGrad', ([x, g], { kernel, ...args }) =>
  convWeightGradOp.one([x!, g!], { ...attrsOf(args), kernel }),
);

// The chooser takes one form for each of these small shapes; every other form that is right for a
// shape must give the same numbers.
describe('forms', () => {
  const inputForms: readonly InputGradForm[] = ['plain', 'flipped', 'winograd'];
  const weightForms: readonly WeightGradForm[] = [
    'plain',
    'columns',
    'columns-folded',
    'columns-each',
    'separable',
    'separable-each',
    'winograd',
  ];

  const winograd = loadGolden('conv').filter((c) => {
    const [x, w] = c.inputs.map((v) => v);
    return winogradAllows(x!, w!.shape.slice(2), attrsOf(c.args));
  });
  test.each(winograd.map((c) => [c.name, c] as const))('conv, winograd: %s', async (_, c) => {
    const tensors = c.inputs.map((v, i) => input(`x${i}`, v.dtype, v.shape));
    const y = convOp.one(tensors, { ...attrsOf(c.args), form: 'winograd' });
    await expectGolden(c, tensors, y);
  });

  for (const form of inputForms) {
    const cases = loadGolden('convInputGrad').filter((c) =>
      inputGradAllows(form, c.inputs[0]!, c.inputs[1]!.shape, {
        ...attrsOf(c.args),
        size: c.args.size,
      }),
    );
    test.each(cases.map((c) => [c.name, c] as const))(
      `input gradient, ${form}: %s`,
      async (_, c) => {
        const [g, w] = c.inputs.map((v, i) => input(`x${i}`, v.dtype, v.shape)) as [Tensor, Tensor];
        const dx = convInputGradOp.one([g, w], { ...attrsOf(c.args), size: c.args.size, form });
        await expectGolden(c, [g, w], dx);
      },
    );
  }

  for (const form of weightForms) {
    const cases = loadGolden('convWeightGrad').filter((c) =>
      weightGradAllows(form, c.inputs[0]!, c.inputs[1]!.shape, {
        ...attrsOf(c.args),
        kernel: c.args.kernel,
      }),
    );
    test.each(cases.map((c) => [c.name, c] as const))(
      `weight gradient, ${form}: %s`,
      async (_, c) => {
        const [x, g] = c.inputs.map((v, i) => input(`x${i}`, v.dtype, v.shape)) as [Tensor, Tensor];
        const dw = convWeightGradOp.one([x, g], {
          ...attrsOf(c.args),
          kernel: c.args.kernel,
          form,
        });
        await expectGolden(c, [x, g], dw);
      },
    );
  }

  test('the chooser looks at maps, channels, strides and groups', () => {
    const choose = (x: number[], g: number[], k: number, stride = 1, groups = 1, block = 0) =>
      chooseWeightGrad(
        { dtype: 'float32', shape: x },
        g,
        {
          strides: [stride, stride],
          pads: [0, 1, 2, 3].map(() => (k - 1) / 2),
          dilations: [1, 1],
          groups,
          kernel: [k, k],
        },
        block,
      );
    expect(choose([16, 64, 56, 56], [16, 64, 56, 56], 3)).toBe('winograd');
    expect(choose([16, 512, 7, 7], [16, 512, 7, 7], 3)).toBe('winograd');
    expect(choose([16, 24, 56, 56], [16, 64, 56, 56], 3)).toBe('separable-each');
    expect(choose([16, 4, 56, 56], [16, 4, 56, 56], 3)).toBe('separable');
    expect(choose([1, 64, 8, 8], [1, 64, 8, 8], 3)).toBe('columns-folded');
    expect(choose([1, 16, 56, 56], [1, 16, 56, 56], 3)).toBe('separable');
    expect(choose([16, 64, 56, 56], [16, 256, 56, 56], 1)).toBe('columns');
    expect(choose([16, 512, 14, 14], [16, 512, 14, 14], 1)).toBe('columns-folded');
    expect(choose([16, 128, 56, 56], [16, 128, 28, 28], 3, 2)).toBe('columns-each');
    expect(choose([16, 128, 56, 56], [16, 128, 56, 56], 3, 1, 128)).toBe('plain');
    expect(choose([16, 128, 56, 56], [16, 128, 56, 56], 3, 1, 128, 16)).toBe('blocked');
    expect(choose([16, 8, 56, 56], [16, 8, 56, 56], 31)).toBe('plain');
  });
});

// Blocked kernels want whole blocks of channels, more than a golden file should hold: they are
// compared with the plain forms, which the golden files have proven.
describe('blocked forms', () => {
  test.each([
    ['3x3', [2, 32, 7, 6], [16, 32, 3, 3], [1, 1], [1, 1, 1, 1], [1, 1], 1],
    ['asymmetric', [1, 16, 5, 6], [32, 16, 3, 2], [1, 1], [2, 0, 0, 1], [1, 1], 1],
    ['stride 2', [2, 16, 9, 8], [16, 16, 3, 3], [2, 2], [1, 1, 1, 1], [1, 1], 1],
    ['dilated', [1, 16, 9, 8], [16, 16, 3, 3], [1, 1], [2, 2, 2, 2], [2, 2], 1],
    ['few channels', [2, 3, 11, 10], [16, 3, 7, 7], [2, 2], [3, 3, 3, 3], [1, 1], 1],
    ['one axis', [2, 16, 11], [32, 16, 3], [1], [1, 0], [2], 1],
    ['depthwise', [2, 16, 7, 6], [16, 1, 3, 3], [1, 1], [1, 1, 1, 1], [1, 1], 16],
    ['depthwise stride 2', [3, 16, 8, 7], [16, 1, 3, 3], [2, 2], [1, 1, 1, 1], [1, 1], 16],
    ['depthwise with a rest', [1, 16, 9, 11], [16, 1, 2, 3], [3, 4], [0, 0, 0, 0], [1, 1], 16],
    ['depthwise one axis', [2, 16, 9], [16, 1, 4], [1], [3, 0], [1], 16],
  ] as const)('%s', async (_, xShape, wShape, strides, pads, dilations, groups) => {
    const engine = await testEngine();
    const block = engine.runtime.channelBlock ?? 0;
    // A processor without such kernels has no blocked form to check.
    if (block === 0) return;
    const attrs: ConvAttrs = { strides, pads, dilations, groups };
    const x = input('x', 'float32', xShape);
    const w = input('w', 'float32', wShape);
    const bias = input('bias', 'float32', [wShape[0]]);
    const plain = convOp.one([x, w, bias], { ...attrs, form: 'plain' });
    const g = input('g', 'float32', plain.shape);
    const size = xShape.slice(2);
    const kernel = wShape.slice(2);
    const pairs = [[plain, convOp.one([x, w, bias], { ...attrs, form: 'blocked' })]];
    if (inputGradAllows('blocked', g, w.shape, { ...attrs, size }, block)) {
      pairs.push(
        (['plain', 'blocked'] as const).map((form) =>
          convInputGradOp.one([g, w], { ...attrs, size, form }),
        ),
      );
    }
    if (weightGradAllows('blocked', x, g.shape, { ...attrs, kernel }, block)) {
      pairs.push(
        (['plain', 'blocked'] as const).map((form) =>
          convWeightGradOp.one([x, g], { ...attrs, kernel, form }),
        ),
      );
    }
    const feeds = new Map(
      [x, w, bias, g].map((t) => {
        const values = Float32Array.from({ length: t.size }, (_, i) => Math.sin(1 + i * 0.7));
        return [t, hostTensor('float32', t.shape, values)] as const;
      }),
    );
    for (const pair of pairs) {
      const used = toposort(pair);
      const [want, got] = await engine.evaluate(
        pair,
        new Map([...feeds].filter(([t]) => used.includes(t.node))),
      );
      const data = toNumbers(want!);
      const what = pair[1]!.node.op.name;
      expectClose(what, got!, { shape: want!.shape, data }, { rtol: 1e-5, atol: 2e-5 });
    }
    expect(pairs.length).toBe(1 + Number(strides.every((s) => s === 1)) + Number(groups > 1));
  });
});

async function expectGolden(c: GoldenCase, inputs: readonly Tensor[], got: Tensor): Promise<void> {
  const engine = await testEngine();
  const feeds = new Map(
    inputs.map((t, i) => [t, hostTensor(t.dtype, t.shape, c.inputs[i]!.data)] as const),
  );
  const [result] = await engine.evaluate([got], feeds);
  expectClose(c.name, result!, c.outputs[0]!, { rtol: 1e-5, atol: 1e-5 });
}
opContract('convTranspose', ([x, w, bias], args) =>
  (x!.rank === 3 ? convTranspose1d : convTranspose2d)(x!, w!, {
    ...args,
    ...(bias ? { bias } : {}),
  }),
);

describe('conv2d', () => {
  const x = input('x', 'float32', [1, 3, 8, 9]);
  const w = input('w', 'float32', [4, 3, 3, 3]);

  test.each([
    [1, [1, 4, 8, 9]],
    [2, [1, 4, 4, 5]],
    [3, [1, 4, 3, 3]],
  ])("'same' padding with stride %i gives ceil(input / stride)", (stride, shape) => {
    expect(conv2d(x, w, { stride, padding: 'same' }).shape).toEqual(shape);
  });

  test("'same' puts the odd element after", () => {
    const even = input('w2', 'float32', [4, 3, 2, 3]);
    const { attrs } = conv2d(x, even, { padding: 'same' }).node;
    expect((attrs as ConvAttrs).pads).toEqual([0, 1, 1, 1]);
  });

  test('a kernel longer than the padded input is named with both sizes', () => {
    const big = input('big', 'float32', [4, 3, 11, 3]);
    expect(() => conv2d(x, big, { padding: 1 })).toThrow(ShapeError);
    expect(() => conv2d(x, big, { padding: 1 })).toThrow(
      /kernel spans 11 elements of spatial axis 0 .* padded input has only 10 \(8 and padding 1 \+ 1\)/,
    );
  });

  test('a dilated kernel counts with its gaps', () => {
    expect(() => conv2d(x, w, { dilation: 4 })).toThrow(/kernel spans 9 .*dilation 4.* only 8/);
  });

  test('wrong channels name both shapes', () => {
    const other = input('o', 'float32', [64, 64, 3, 3]);
    expect(() => conv2d(x, other)).toThrow(
      /input has 3 channels but weight expects 64 x 1 group and makes 64 .*Check groups/,
    );
  });

  test('output channels must divide into the groups', () => {
    const odd = input('odd', 'float32', [4, 1, 3, 3]);
    expect(() => conv2d(x, odd, { groups: 3 })).toThrow(/1 x 3 groups and makes 4/);
  });

  test('wrong ranks, biases, dtypes and options are refused', () => {
    expect(() => conv1d(x, w)).toThrow(/conv1d: the input must have 3 axes/);
    expect(() => conv2d(x, input('w3', 'float32', [4, 3, 3]))).toThrow(/weight must have 4 axes/);
    expect(() => conv2d(x, w, { bias: input('b', 'float32', [3]) })).toThrow(
      /bias must be float32\[4\]/,
    );
    expect(() => conv2d(x, input('w64', 'float64', [4, 3, 3, 3]))).toThrow(DTypeError);
    expect(() => conv2d(x, w, { stride: 0 })).toThrow(ConfigError);
    expect(() => conv2d(x, w, { stride: [1, 2, 3] })).toThrow(/2 integers of at least 1/);
    expect(() => conv2d(x, w, { padding: -1 })).toThrow(/none negative; got -1/);
    expect(() => conv2d(x, w, { padding: [[1, 2, 3] as never, 0] })).toThrow(ConfigError);
  });
});

describe('convTranspose2d', () => {
  const x = input('x', 'float32', [1, 3, 4, 4]);
  const w = input('w', 'float32', [3, 2, 3, 3]);

  test('output padding must stay below the stride', () => {
    expect(() => convTranspose2d(x, w, { stride: 2, outputPadding: 2 })).toThrow(
      /outputPadding 2 of spatial axis 0 must be below its stride 2/,
    );
  });

  test('channels are checked in the order of a transposed weight', () => {
    expect(() => convTranspose2d(x, input('w2', 'float32', [2, 3, 3, 3]))).toThrow(
      /input has 3 channels but weight expects 2 .*\[in channels, out channels/,
    );
  });

  test('padding that cuts everything off is refused', () => {
    expect(() => convTranspose2d(x, w, { padding: 4 })).toThrow(ShapeError);
  });
});

// Chosen for many channels only, more than a golden file should hold: compared with the plain forms,
// at every size that tiles of four leave a rest of, and every padding.
describe('winograd forms of real size', () => {
  test('a second graph of the same structure takes the session of the first', async () => {
    const engine = await testEngine();
    const made = async () => {
      const x = input('x', 'float32', [8, 128, 8, 8]);
      const w = input('w', 'float32', [128, 128, 3, 3]);
      const y = conv2d(x, w, { padding: 1 });
      const [dx, dw] = vjp([y], [x], [x, w]);
      await engine.program({ y, dx: dx!, dw: dw! });
      return engine.cachedSessions;
    };
    expect(await made()).toBe(await made());
  });

  test.each([
    ['whole tiles', [2, 128, 16, 16], 128, [1, 1, 1, 1]],
    ['rests', [4, 128, 14, 13], 160, [1, 1, 1, 1]],
    ['no padding', [9, 144, 7, 7], 128, [0, 0, 0, 0]],
    ['uneven padding', [4, 128, 11, 10], 128, [2, 0, 1, 2]],
  ] as const)('%s', async (_, shape, out, pads) => {
    const engine = await testEngine();
    const plain: ConvAttrs = { strides: [1, 1], pads, dilations: [1, 1], groups: 1 };
    const x = input('x', 'float32', shape);
    const w = input('w', 'float32', [out, shape[1], 3, 3]);
    const y = convOp.one([x, w], { ...plain, form: 'plain' });
    const g = input('g', 'float32', y.shape);
    const [size, kernel] = [shape.slice(2), [3, 3]];
    const both = (['plain', 'winograd'] as const).map((form) => [
      convOp.one([x, w], { ...plain, form }),
      convInputGradOp.one([g, w], { ...plain, size, form }),
      convWeightGradOp.one([x, g], { ...plain, kernel, form }),
    ]);
    const feeds = new Map(
      [x, w, g].map((t, k) => {
        const key = makeKey(k);
        const values = Float32Array.from({ length: t.size }, (_, i) => 2 * uniformAt(key, i) - 1);
        return [t, hostTensor('float32', t.shape, values)] as const;
      }),
    );
    const values = await engine.evaluate(both.flat(), feeds);
    for (const [i, what] of ['y', 'dx', 'dw'].entries()) {
      const [want, got] = [values[i]!, values[3 + i]!];
      const data = toNumbers(want);
      // Sums of hundreds of products round at any order; what counts is the size of the sum.
      const scale = Math.sqrt(data.reduce((s, v) => s + v * v, 0) / data.length);
      expectClose(what, got, { shape: want.shape, data }, { rtol: 0, atol: 2e-5 * scale });
    }
  });
});
