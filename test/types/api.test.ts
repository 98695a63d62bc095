/** Types of the public API. The compiler checks them (`npm run typecheck`); running them is a formality. */
import { describe, expectTypeOf, test } from 'vitest';
import * as graft from '../../src/index.js';
import type * as web from '../../src/index.web.js';

describe('graphs', () => {
  test('builders take and give tensors; a number may stand for one operand', () => {
    expectTypeOf(graft.add).parameters.toEqualTypeOf<[graft.Operand, graft.Operand]>();
    expectTypeOf(graft.matmul).toEqualTypeOf<(a: graft.Tensor, b: graft.Tensor) => graft.Tensor>();
    expectTypeOf(graft.input).parameters.toEqualTypeOf<[string, graft.DType, graft.Shape]>();
    // @ts-expect-error a dtype is one of the names in the table
    expectTypeOf(graft.input).toBeCallableWith('x', 'float', [2]);
  });

  test('host data is not a tensor of a graph', () => {
    expectTypeOf<graft.HostTensor>().not.toExtend<graft.Tensor>();
    expectTypeOf<graft.Tensor>().not.toExtend<graft.HostTensor>();
    expectTypeOf(graft.hostTensor).returns.toEqualTypeOf<graft.HostTensor>();
  });

  test('an operation must say its shape rule, its gradient and its ONNX form', () => {
    type Required = 'name' | 'infer' | 'grad' | 'onnx';
    expectTypeOf<Required>().toExtend<keyof graft.OpSpec<undefined>>();
    expectTypeOf<Omit<graft.OpSpec<undefined>, 'grad'>>().not.toExtend<graft.OpSpec<undefined>>();
    expectTypeOf<Omit<graft.OpSpec<undefined>, 'onnx'>>().not.toExtend<graft.OpSpec<undefined>>();
    expectTypeOf(graft.zeroGrad('a reason')).toExtend<graft.OpSpec<undefined>['grad']>();
  });

  test('attributes reach the rules with their type', () => {
    graft.defineOp<{ axis: number }>({
      name: 'typed',
      infer: ([x], attrs) => {
        expectTypeOf(attrs).toEqualTypeOf<{ axis: number }>();
        return x!;
      },
      grad: ({ attrs, dy }) => {
        expectTypeOf(attrs.axis).toBeNumber();
        return [dy];
      },
      onnx: (emit, node) => {
        expectTypeOf(node.attrs.axis).toBeNumber();
        return emit.name(node.inputs[0]!);
      },
    });
  });

  test('gradients are tensors, one for each that was asked for', () => {
    expectTypeOf(graft.grad).toEqualTypeOf<
      (loss: graft.Tensor, wrt: readonly graft.Tensor[]) => graft.Tensor[]
    >();
  });
});

describe('engines', () => {
  test('both doors of the package export the same names, and Node has whole runs beside them', () => {
    type Runs =
      | 'describeBase'
      | 'evaluateRun'
      | 'exportRun'
      | 'fit'
      | 'listBases'
      | 'predictRun'
      | 'reportRun'
      | 'streamPredictions'
      | 'watchRun';
    expectTypeOf<keyof typeof web>().toEqualTypeOf<Exclude<keyof typeof graft, Runs>>();
    expectTypeOf<Runs>().toExtend<keyof typeof graft>();
    expectTypeOf<ReturnType<typeof web.createEngine>>().toEqualTypeOf<Promise<graft.Engine>>();
  });

  test('a device is one of four, and Node has no wasm', () => {
    expectTypeOf<graft.Device>().toEqualTypeOf<'cpu' | 'wasm' | 'webgpu' | 'cuda'>();
    expectTypeOf<
      NonNullable<graft.NodeRuntimeOptions['device']>
    >().not.toEqualTypeOf<graft.Device>();
  });

  test('a program takes values of the host or the device and gives those of the device', () => {
    type Run = graft.Program['run'];
    expectTypeOf<Parameters<Run>[0]>().toEqualTypeOf<
      Readonly<Record<string, graft.HostTensor | graft.DeviceTensor>>
    >();
    expectTypeOf<ReturnType<Run>>().toEqualTypeOf<Promise<Record<string, graft.DeviceTensor>>>();
  });
});

describe('training', () => {
  test('one batch or a window of them is a step', () => {
    type Step = graft.TrainStep['step'];
    expectTypeOf<graft.Batch>().toExtend<Parameters<Step>[0]>();
    expectTypeOf<readonly graft.Batch[]>().toExtend<Parameters<Step>[0]>();
    expectTypeOf<Awaited<ReturnType<Step>>['loss']>().toBeNumber();
  });

  test('every optimizer is an Optimizer, a schedule may stand for a rate', () => {
    for (const make of [graft.sgd, graft.adam, graft.adamW, graft.lamb, graft.lion]) {
      expectTypeOf(make).returns.toEqualTypeOf<graft.Optimizer>();
    }
    expectTypeOf(graft.cosineRate({ lr: 1, total: 10 })).toExtend<graft.LearningRate>();
    expectTypeOf<graft.AdamOptions['lr']>().toEqualTypeOf<graft.LearningRate>();
  });

  test('layers are modules, and a module must say how it computes', () => {
    expectTypeOf<graft.Linear>().toExtend<graft.Module>();
    expectTypeOf<graft.Conv2d>().toExtend<graft.Module>();
    // @ts-expect-error forward is missing
    class Silent extends graft.Module {}
    expectTypeOf(Silent).not.toBeAny();
  });

  test('what a step was trained on is what saving and loading exchange', () => {
    expectTypeOf<Awaited<ReturnType<graft.TrainStep['save']>>>().toEqualTypeOf<
      Parameters<graft.TrainStep['load']>[0]
    >();
  });
});

test('every error of Graft has a code and data', () => {
  expectTypeOf<graft.ShapeError>().toExtend<graft.GraftError>();
  expectTypeOf<graft.GraftError['code']>().toBeString();
  expectTypeOf<graft.GraftError['data']>().toEqualTypeOf<Readonly<Record<string, unknown>>>();
});
