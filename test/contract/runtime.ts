/**
 * The contract of every runtime. The cases run in Node and, bundled, inside a browser page; what a
 * case returns is compared with what the CPU runtime in Node returns for it.
 */
import { checkpoint, grad, scan } from '../../src/autodiff/index.js';
import { Engine } from '../../src/engine/index.js';
import {
  constant,
  DTYPES,
  type DType,
  filled,
  type HostTensor,
  hostTensor,
  input,
  type Tensor,
  toNumbers,
} from '../../src/graph/index.js';
import { type EncodedModel, encode } from '../../src/onnx/index.js';
import {
  add,
  dropout,
  expand,
  foldIn,
  matmul,
  mul,
  neg,
  randomBits,
  randomUniform,
  reshape,
  sub,
  sum,
  zeros,
} from '../../src/ops/index.js';
import type { DeviceTensor, Runtime } from '../../src/runtime/index.js';
import { bernoulliAt, bitsAt, foldKey, makeKey, uniformAt } from '../../src/util/index.js';
import { holds, holdsNear, rejects, same } from './assert.js';

/** One clause of the contract. */
export interface RuntimeCase {
  readonly name: string;
  /** Values that must agree between runtimes, where the case has any. */
  run(runtime: Runtime): Promise<readonly number[] | undefined>;
}

/** A model with its only input or output named as ONNX names it. */
function model(outputs: Readonly<Record<string, Tensor>>, runtime: Runtime): EncodedModel {
  return encode({ outputs, target: runtime.device });
}

/** Numbers without a pattern, the same on every platform. */
function wave(length: number, phase = 0): number[] {
  return Array.from({ length }, (_, i) => Math.sin(12.9898 * (i + 1) + phase));
}

const f32 = (shape: readonly number[], data: ArrayLike<number>) =>
  hostTensor('float32', shape, data);

/** Values at the edges of each type, an odd number of them. */
function edgeValues(dtype: DType): HostTensor {
  if (dtype === 'bool') return hostTensor(dtype, [3], [1, 0, 1]);
  if (dtype === 'int64') return hostTensor(dtype, [3], [-(2n ** 63n), 2n ** 53n + 1n, -1n]);
  if (dtype === 'uint64') return hostTensor(dtype, [3], [0n, 2n ** 53n + 1n, 2n ** 64n - 1n]);
  if (dtype === 'float16') return hostTensor(dtype, [3], [65504, -(2 ** -24), 1 / 3]);
  if (dtype.startsWith('float')) return hostTensor(dtype, [3], [1e-30, -1.5, 3e38]);
  const bits = Number(dtype.replace(/\D/g, ''));
  const low = dtype.startsWith('u') ? 0 : -(2 ** (bits - 1));
  return hostTensor(dtype, [3], [low, 1, low + 2 ** bits - 1]);
}

async function runOnce(
  runtime: Runtime,
  encoded: EncodedModel,
  feeds: Readonly<Record<string, HostTensor>>,
): Promise<HostTensor[]> {
  const session = await runtime.load(encoded);
  const fed: Record<string, DeviceTensor> = {};
  for (const { name, onnxName } of encoded.inputs) {
    fed[onnxName] = await runtime.upload(feeds[name]!);
  }
  const fetches = Object.fromEntries(encoded.outputs.map((o) => [o.onnxName, null]));
  const results = await session.run(fed, fetches);
  const values: HostTensor[] = [];
  for (const { onnxName } of encoded.outputs)
    values.push(await runtime.download(results[onnxName]!));
  for (const tensor of [...Object.values(fed), ...Object.values(results)]) runtime.free(tensor);
  await session.release();
  return values;
}

/** Two layers with a squared loss, and the gradients of both weights. */
function perceptron() {
  const x = input('x', 'float32', [5, 7]);
  const w1 = input('w1', 'float32', [7, 9]);
  const w2 = input('w2', 'float32', [9, 3]);
  const h = matmul(x, w1);
  const y = matmul(mul(h, h), w2);
  const loss = sum(mul(y, y));
  return { loss, grads: grad(loss, [w1, w2]) };
}

/** All clauses. */
export const runtimeCases: readonly RuntimeCase[] = [
  {
    name: 'a program computes what arithmetic says',
    async run(runtime) {
      const a = input('a', 'float32', [2, 3]);
      const b = input('b', 'float32', [3, 2]);
      const encoded = model({ y: matmul(a, b), z: sub(a, 1) }, runtime);
      const [y, z] = await runOnce(runtime, encoded, {
        a: f32([2, 3], [1, 2, 3, 4, 5, 6]),
        b: f32([3, 2], [7, 8, 9, 10, 11, 12]),
      });
      holdsNear('product', y!, [2, 2], [58, 64, 139, 154]);
      holdsNear('difference', z!, [2, 3], [0, 1, 2, 3, 4, 5]);
      return undefined;
    },
  },
  {
    name: 'a forward and backward pass agrees between runtimes',
    async run(runtime) {
      const { loss, grads } = perceptron();
      const engine = new Engine(runtime);
      const program = await engine.program({ loss, dw1: grads[0]!, dw2: grads[1]! });
      const results = await program.run({
        x: f32([5, 7], wave(35)),
        w1: f32([7, 9], wave(63, 1)),
        w2: f32([9, 3], wave(27, 2)),
      });
      const values: number[] = [];
      for (const t of Object.values(results)) values.push(...toNumbers(await runtime.download(t)));
      await engine.release();
      same('number of values', values.length, 1 + 63 + 27);
      return values;
    },
  },
  ...DTYPES.map(
    (dtype): RuntimeCase => ({
      name: `${dtype} goes in, through a program and out unchanged`,
      async run(runtime) {
        const value = edgeValues(dtype);
        const uploaded = await runtime.upload(value);
        holds('upload and download', await runtime.download(uploaded), value);
        runtime.free(uploaded);
        const x = input('x', dtype, [3]);
        const [y] = await runOnce(runtime, model({ y: reshape(x, [3, 1]) }, runtime), { x: value });
        holds('through a program', y!, { ...value, shape: [3, 1] });
        return undefined;
      },
    }),
  ),
  {
    name: 'every length from 1 to 9 of one-, two- and four-byte types can be overwritten',
    async run(runtime) {
      for (const dtype of ['uint8', 'float16', 'float32'] as const) {
        for (let n = 1; n <= 9; n++) {
          const tensor = await runtime.upload(filled(dtype, [n], 7));
          const next = hostTensor(
            dtype,
            [n],
            Array.from({ length: n }, (_, i) => i + 1),
          );
          await runtime.write(tensor, next);
          holds(`${dtype}[${n}]`, await runtime.download(tensor), next);
          runtime.free(tensor);
        }
      }
      return undefined;
    },
  },
  {
    name: 'empty tensors go in and out',
    async run(runtime) {
      const x = input('x', 'float32', [0, 3]);
      const encoded = model({ y: add(x, 1), s: sum(x, { axes: 0 }) }, runtime);
      const [y, s] = await runOnce(runtime, encoded, { x: f32([0, 3], []) });
      holds('elementwise', y!, f32([0, 3], []));
      holds('sum over no rows', s!, f32([3], [0, 0, 0]));
      return undefined;
    },
  },
  {
    name: 'scalars go in and out',
    async run(runtime) {
      const x = input('x', 'float32', []);
      const [y] = await runOnce(runtime, model({ y: mul(x, x) }, runtime), { x: f32([], [3]) });
      holds('square', y!, f32([], [9]));
      return undefined;
    },
  },
  {
    name: 'a tensor that is fed and fetched is updated in place',
    async run(runtime) {
      for (const n of [33, 3000]) {
        const p = input('p', 'float32', [n]);
        const g = input('g', 'float32', [n]);
        const session = await runtime.load(model({ p: sub(p, mul(g, 0.5)) }, runtime));
        const start = wave(n);
        const parameter = await runtime.upload(f32([n], start));
        const step = await runtime.upload(f32([n], wave(n, 1)));
        for (let i = 0; i < 10; i++) {
          const results = await session.run({ i0: parameter, i1: step }, { o0: parameter });
          same('the given tensor is returned', results.o0 === parameter, true);
        }
        const want = wave(n, 1).map((d, i) => start[i]! - 5 * d);
        holdsNear('after ten steps', await runtime.download(parameter), [n], want);
        runtime.free(parameter);
        runtime.free(step);
        await session.release();
      }
      return undefined;
    },
  },
  {
    name: 'results land in the tensors given, of every size and type',
    async run(runtime) {
      for (const dtype of ['float32', 'int32', 'int64'] as const) {
        for (const n of [1, 5000]) {
          const x = input('x', dtype, [n]);
          const session = await runtime.load(model({ y: add(x, x) }, runtime));
          const fed = await runtime.upload(filled(dtype, [n], 21));
          const into = await runtime.upload(filled(dtype, [n], 0));
          await session.run({ i0: fed }, { o0: into });
          holds(`${dtype}[${n}]`, await runtime.download(into), filled(dtype, [n], 42));
          runtime.free(fed);
          runtime.free(into);
          await session.release();
        }
      }
      return undefined;
    },
  },
  {
    name: 'float64 is computed, or refused by name where ONNX Runtime has no kernels for it',
    async run(runtime) {
      const encoded = model({ y: neg(input('x', 'float64', [2])) }, runtime);
      const call = () => runOnce(runtime, encoded, { x: hostTensor('float64', [2], [1e-300, 2]) });
      if (runtime.device === 'webgpu' && 'document' in globalThis) {
        await rejects(call, 'kernel-missing', /'webgpu' cannot compute Neg/);
      } else {
        holds('negative', (await call())[0]!, hostTensor('float64', [2], [-1e-300, -2]));
      }
      return undefined;
    },
  },
  {
    name: 'large results of every type need no buffer from the caller',
    async run(runtime) {
      for (const dtype of DTYPES) {
        const value = filled(dtype, [2500, 2], 1);
        const x = input('x', dtype, [2500, 2]);
        const [y] = await runOnce(runtime, model({ y: reshape(x, [5000]) }, runtime), { x: value });
        holds(dtype, y!, { ...value, shape: [5000] });
      }
      return undefined;
    },
  },
  {
    name: 'a large result of one program feeds the next',
    async run(runtime) {
      const x = input('x', 'float32', [40, 50]);
      const engine = new Engine(runtime);
      const first = await engine.program({ y: add(x, 1) });
      const second = await engine.program({ y: mul(x, x) });
      let { y } = await first.run({ x: f32([40, 50], wave(2000)) });
      ({ y } = await second.run({ x: y! }));
      const want = wave(2000).map((v) => (v + 1) ** 2);
      holdsNear('square of the sum', await runtime.download(y!), [40, 50], want);
      await engine.release();
      return undefined;
    },
  },
  {
    name: 'large constants travel beside the model',
    async run(runtime) {
      const x = input('x', 'float32', [2, 64]);
      const w = constant(Float32Array.from(wave(64 * 64)), 'float32', [64, 64]);
      const encoded = model({ y: matmul(x, w) }, runtime);
      same('external data', encoded.external.length, 1);
      const [y] = await runOnce(runtime, encoded, { x: f32([2, 64], wave(128, 1)) });
      return toNumbers(y!);
    },
  },
  {
    name: 'several programs run alternately',
    async run(runtime) {
      const engine = new Engine(runtime);
      const x = input('x', 'float32', [4]);
      const plus = await engine.program({ y: add(x, 1) });
      const minus = await engine.program({ y: neg(x) });
      let value: HostTensor = f32([4], [0, 1, 2, 3]);
      for (let i = 0; i < 20; i++) {
        const { y } = await (i % 2 ? minus : plus).run({ x: value });
        value = await runtime.download(y!);
      }
      // Each pair maps v to -(v + 1); two pairs are the identity.
      holdsNear('after twenty runs', value, [4], [0, 1, 2, 3]);
      await engine.release();
      return undefined;
    },
  },
  {
    name: 'concurrent calls do not mix',
    async run(runtime) {
      const x = input('x', 'float32', [64, 64]);
      const engine = new Engine(runtime);
      const one = await engine.program({ y: matmul(x, x) });
      const two = await engine.program({ y: sum(add(x, x)) });
      const diagonal = (v: number) =>
        f32(
          [64, 64],
          Array.from({ length: 4096 }, (_, i) => (i % 65 === 0 ? v : 0)),
        );
      const results = await Promise.all(
        [1, 2, 3, 4, 5, 6, 7, 8].map(async (v) => {
          const { y } = await (v % 2 ? one : two).run({ x: diagonal(v) });
          return toNumbers(await runtime.download(y!))[0];
        }),
      );
      same('results', results, [1, 256, 9, 512, 25, 768, 49, 1024]);
      await engine.release();
      return undefined;
    },
  },
  {
    name: 'random draws are the same bits on every device',
    async run(runtime) {
      const key = input('key', 'int32', [2]);
      const site = foldIn(key, 'site');
      // More than one row of the generator, and a ragged end.
      const shape = [3, 700];
      const outputs = {
        bits: randomBits(site, shape),
        uniform: randomUniform(site, shape),
        kept: dropout(randomUniform(site, shape), 0.25, key),
      };
      const words = makeKey(42, 7);
      const fed = { key: hostTensor('int32', [2], Int32Array.from(words)) };
      const [bits, uniform, kept] = await runOnce(runtime, model(outputs, runtime), fed);
      const drawn = foldKey(words, 'site');
      const indices = Array.from({ length: 2100 }, (_, i) => i);
      same(
        'bits',
        toNumbers(bits!),
        indices.map((i) => bitsAt(drawn, i)),
      );
      same(
        'uniform',
        toNumbers(uniform!),
        indices.map((i) => uniformAt(drawn, i)),
      );
      same(
        'mask',
        toNumbers(kept!).map((v) => v !== 0),
        indices.map((i) => bernoulliAt(words, i, 0.75) && uniformAt(drawn, i) !== 0),
      );
      return undefined;
    },
  },
  {
    name: 'a loop, a checkpoint and their gradients agree between runtimes',
    async run(runtime) {
      const w = input('w', 'float32', [4, 4]);
      const xs = input('xs', 'float32', [3, 2, 4]);
      const { carry, ys } = scan(
        ([h], [x]) => {
          const next = checkpoint((t) => mul(add(matmul(t!, w), x!), 0.5), [h!]);
          return { carry: [next], ys: [mul(next, next)] };
        },
        { init: [zeros('float32', [2, 4])], xs: [xs], reverse: true },
      );
      const loss = add(sum(ys[0]!), sum(checkpoint((t) => mul(mul(t!, t!), t!), [carry[0]!])));
      const [dw, dxs] = grad(loss, [w, xs]);
      const values = await runOnce(runtime, model({ loss, dw: dw!, dxs: dxs! }, runtime), {
        w: f32([4, 4], wave(16)),
        xs: f32([3, 2, 4], wave(24, 1)),
      });
      return values.flatMap(toNumbers);
    },
  },
  {
    name: 'a damaged model is an error',
    async run(runtime) {
      const encoded = model({ y: neg(input('x', 'float32', [2])) }, runtime);
      const bytes = encoded.bytes.slice(0, encoded.bytes.length >> 1);
      await rejects(() => runtime.load({ ...encoded, bytes }), 'session', /could not load/);
      return undefined;
    },
  },
  {
    name: 'a run that fails is an error, and the session goes on',
    async run(runtime) {
      // The engine would not feed another shape; here it makes ONNX Runtime itself refuse.
      const encoded = model({ y: expand(input('x', 'float32', [1]), [3]) }, runtime);
      const session = await runtime.load(encoded);
      const wrong = await runtime.upload(f32([2], [1, 2]));
      await rejects(() => session.run({ i0: wrong }, { o0: null }), 'run', /ONNX Runtime failed/);
      const right = await runtime.upload(f32([1], [5]));
      const { o0 } = await session.run({ i0: right }, { o0: null });
      holds('the next run', await runtime.download(o0!), f32([3], [5, 5, 5]));
      await session.release();
      return undefined;
    },
  },
  {
    name: 'missing feeds, unknown outputs and wrong tensors are named',
    async run(runtime) {
      const x = input('x', 'float32', [2]);
      const session = await runtime.load(model({ y: neg(x) }, runtime));
      const fed = await runtime.upload(f32([2], [1, 2]));
      const other = await runtime.upload(f32([3], [1, 2, 3]));
      await rejects(() => session.run({}, { o0: null }), 'feed', /'x'/);
      await rejects(() => session.run({ i0: fed }, { o7: null }), 'fetch', /'o7'.*it has o0/);
      await rejects(() => session.run({ i0: fed }, { o0: other }), 'run', /float32\[2\].*\[3\]/);
      await rejects(() => runtime.write(fed, f32([3], [1, 2, 3])), 'write', /float32\[2\]/);
      const short = { dtype: 'float32', shape: [2], data: new Float32Array(1) } as const;
      await rejects(() => runtime.upload(short), 'upload', /needs 2 values, got 1/);
      const mixed = { dtype: 'float32', shape: [2], data: new Int32Array(2) } as const;
      await rejects(() => runtime.upload(mixed), 'upload', /Float32Array, got Int32Array/);
      await session.release();
      return undefined;
    },
  },
  {
    name: 'a released session says so, results of it live on',
    async run(runtime) {
      const x = input('x', 'float32', [2000]);
      const session = await runtime.load(model({ y: neg(x) }, runtime));
      const fed = await runtime.upload(filled('float32', [2000], 2));
      const { o0 } = await session.run({ i0: fed }, { o0: null });
      await session.release();
      await session.release();
      await rejects(() => session.run({ i0: fed }, { o0: null }), 'released', /load it again/);
      holds('result', await runtime.download(o0!), filled('float32', [2000], -2));
      runtime.free(o0!);
      runtime.free(fed);
      return undefined;
    },
  },
];
