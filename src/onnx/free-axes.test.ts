import fc from 'fast-check';
import * as ort from 'onnxruntime-node';
import { describe, expect, test } from 'vitest';
import { testEngine } from '../../test/support/engine.js';
import { constant, type HostTensor, hostTensor, input, type Tensor } from '../graph/index.js';
import { add, concat, expand, gather, mul, reshape, slice } from '../ops/index.js';
import { branches, type EncodedModel, encode, freeAxes, type Sizes, singleFile } from './index.js';
import { lengthAt, lengthOf, nameOf, tracedAt } from './lengths.js';

const SIZES = [
  { b: 101, t: 31 },
  { b: 103, t: 31 },
  { b: 101, t: 37 },
  { b: 107, t: 41 },
] as const;

type Trace = (x: Tensor, sizes: Sizes) => Tensor;

const placeholder = ({ b, t }: Sizes) => input('x', 'float32', [b!, t!]);

/** One model for all sizes of what `trace` makes of x [b, t]. */
function freed(trace: Trace, tables: readonly HostTensor[] = []): EncodedModel {
  const models = SIZES.map((sizes) => ({
    sizes,
    model: encode({
      outputs: { y: trace(placeholder(sizes), sizes) },
      target: 'portable',
      keepNames: true,
    }),
  }));
  return freeAxes(models, { tables: () => tables });
}

async function run(model: EncodedModel, x: HostTensor): Promise<ort.Tensor> {
  const bytes = Buffer.concat([...singleFile(model).chunks()]);
  const session = await ort.InferenceSession.create(bytes, { logSeverityLevel: 3 });
  const feed = new ort.Tensor('float32', x.data as Float32Array, [...x.shape]);
  return (await session.run({ x: feed })).y!;
}

/** The freed model gives, at sizes it was never traced at, what a trace at those sizes gives. */
async function expectFree(trace: Trace, tables: readonly HostTensor[] = []): Promise<void> {
  const model = freed(trace, tables);
  for (const sizes of [
    { b: 1, t: 1 },
    { b: 3, t: 5 },
    { b: 2, t: 40 },
    { b: 1, t: 90 },
  ]) {
    const longest = tables[0]?.shape[0] ?? sizes.t;
    if (sizes.t > longest) continue;
    const data = Float32Array.from({ length: sizes.b * sizes.t }, (_, i) => (i % 7) - 3);
    const x = placeholder(sizes);
    const value = hostTensor('float32', x.shape, data);
    const y = trace(x, sizes);
    const [want] = await (await testEngine()).evaluate([y], new Map([[x, value]]));
    const got = await run(model, value);
    expect(got.dims).toEqual(want!.shape);
    expect(Array.from(got.data as Float32Array)).toEqual(Array.from(want!.data as Float32Array));
  }
}

const squares = (t: number, f: (q: number, k: number) => number) =>
  Array.from({ length: t * t }, (_, i) => f(Math.floor(i / t), i % t));

describe('what depends on two sizes is worked out when the model runs:', () => {
  test('shapes with products and sums of them', async () => {
    await expectFree((x, { b, t }) => {
      const flat = reshape(x, [b! * t!, 1]);
      const wide = expand(flat, [b! * t!, 2]);
      const more = concat(
        [reshape(wide, [b!, 2, t!]), expand(reshape(x, [b!, 1, t!]), [b!, 3, t!])],
        1,
      );
      return slice(reshape(more, [5 * b!, t!]), {
        starts: [b! - 1],
        ends: [2 * b! + 1],
        axes: [0],
      });
    });
  });

  test('a mask of what comes later', async () => {
    await expectFree((x, { b, t }) => {
      const mask = constant(
        squares(t!, (q, k) => (k > q ? -1e9 : 0)),
        'float32',
        [1, t!, t!],
      );
      return add(reshape(x, [b!, 1, t!]), mask);
    });
  });

  test('classes of distances, near ones apart and far ones together', async () => {
    await expectFree((x, { b, t }) => {
      const classes = squares(t!, (q, k) => Math.max(-4, Math.min(3, k - q)) + 4);
      const rows = constant([5, 3, 2, 7, 1, 9, 8, 4], 'float32', [8]);
      const bias = gather(rows, constant(classes, 'int32', [t!, t!]));
      return add(reshape(x, [b!, 1, t!]), bias);
    });
  });

  test('places that are counted, in rows whose length is free', async () => {
    await expectFree((x, { b, t }) => {
      const first = constant(
        Array.from({ length: b! }, (_, i) => i * t!),
        'int64',
        [b!],
      );
      const back = constant(
        Array.from({ length: t! }, (_, i) => t! - 1 - i),
        'int32',
        [t!],
      );
      const column = gather(reshape(x, [b! * t!]), first);
      return add(gather(x, back, 1), reshape(column, [b!, 1]));
    });
  });

  test('the first rows of a table', async () => {
    const rows = Array.from({ length: 60 }, (_, i) => Math.sin(i));
    const table = hostTensor('float32', [60], Float32Array.from(rows));
    const other = hostTensor('float32', [60], Float32Array.from(rows.toReversed()));
    const trace: Trace = (x, { t }) => add(x, constant(rows.slice(0, t!), 'float32', [t!]));
    await expectFree(trace, [table, other]);
    expect(() => freed(trace, [other])).toThrow(/constant .* has another shape/);
  });
});

describe('is refused:', () => {
  test('a number that is made of a size', () => {
    expect(() => freed((x, { t }) => mul(x, 1 / t!))).toThrow(/constant .* depends on it/);
  });
  test('a function of the distance that never comes to an end', () => {
    const trace: Trace = (x, { b, t }) => {
      const slopes = constant(
        squares(t!, (q, k) => Math.sqrt(Math.abs(k - q))),
        'float32',
        [1, t!, t!],
      );
      return add(reshape(x, [b!, 1, t!]), slopes);
    };
    expect(() => freed(trace)).toThrow(/b or the t is another: the constant .* has another shape/);
  });
  test('a length that is neither a product nor a sum', () => {
    const trace: Trace = (x, { t }) => {
      const half = Math.floor(t! / 2);
      return slice(x, { starts: [0], ends: [half], axes: [1] });
    };
    expect(() => freed(trace)).toThrow(
      /a shape \(.*\) holds 15 at b 101 x t 31 and 18 at 101 x 37/,
    );
  });
  test('sizes that do not say which axis is which', () => {
    const model = encode({ outputs: { y: add(placeholder({ b: 2, t: 3 }), 1) } });
    expect(() =>
      freeAxes([
        { sizes: { b: 2, t: 3 }, model },
        { sizes: { b: 3, t: 4 }, model },
      ]),
    ).toThrow(/each axis needs an encoding/);
  });
});

test('lengths that are products or sums are known from few sizes, at all others', () => {
  const traced = tracedAt(SIZES)!;
  const small = fc.integer({ min: -9, max: 9 });
  const any = fc.record({
    b: fc.integer({ min: 1, max: 999 }),
    t: fc.integer({ min: 1, max: 999 }),
  });
  fc.assert(
    fc.property(small, small, small, any, (constantPart, ofB, ofT, at) => {
      const f = ({ b, t }: Sizes) => constantPart + ofB * b! + ofT * t!;
      const found = lengthOf(SIZES.map(f), traced);
      expect(lengthAt(found!, at)).toBe(f(at));
    }),
  );
  const power = fc.integer({ min: 0, max: 2 });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 9 }), power, power, any, (factor, p, q, at) => {
      const f = ({ b, t }: Sizes) => factor * b! ** p * t! ** q;
      expect(lengthAt(lengthOf(SIZES.map(f), traced)!, at)).toBe(f(at));
    }),
  );
  const [first, second] = SIZES;
  const two = tracedAt([{ b: first.b }, { b: second.b }])!;
  expect(lengthOf([first.b + 1, second.b + 1], two)).toBeNull();
  expect(nameOf(lengthOf([202, 206], two)!)).toBe('2*b');
});

test('of two models that share their weights, the second runs once its input is there', async () => {
  const weights = Float32Array.from({ length: 2000 }, (_, i) => i);
  const w = constant(weights, 'float32', [2000]);
  const model = (trace: (x: Tensor, past: Tensor) => Tensor) =>
    freeAxes(
      SIZES.map((sizes) => {
        const x = input('x', 'float32', [sizes.b, 1]);
        const past = input('past', 'float32', [sizes.t, 1]);
        const encoded = encode({
          outputs: { y: trace(x, past) },
          target: 'portable',
          keepNames: true,
          constantNames: new Map([[weights, 'weights']]),
        });
        const own = encoded.inputs.some((v) => v.name === 'past');
        return { sizes: own ? sizes : { b: sizes.b }, model: encoded };
      }).filter(({ sizes }, i) => 't' in sizes || i !== 2),
    );
  const first = model((x) => add(x, w));
  const second = model((x, past) =>
    add(add(x, slice(past, { starts: [0], ends: [1], axes: [0] })), mul(w, 2)),
  );
  const joined = branches(first, second, { by: 'past', axis: 0, total: 'all' });
  expect(joined.external.map((e) => e.path)).toEqual(['weights']);
  expect(joined.inputs.map((v) => [v.name, ...v.shape])).toEqual([
    ['x', -1, 1],
    ['past', -1, 1],
  ]);
  const bytes = Buffer.concat([...singleFile(joined).chunks()]);
  const session = await ort.InferenceSession.create(bytes, { logSeverityLevel: 3 });
  const asked = async (past: readonly number[]) => {
    const { y } = await session.run({
      x: new ort.Tensor('float32', [10, 20], [2, 1]),
      past: new ort.Tensor('float32', [...past], [past.length, 1]),
    });
    return [...y!.dims, ...Array.from(y!.data as Float32Array).filter((_, i) => i % 2000 === 3)];
  };
  expect(await asked([])).toEqual([2, 2000, 13, 23]);
  expect(await asked([100, 7])).toEqual([2, 2000, 116, 126]);
  const other = encode({ outputs: { z: add(input('x', 'float32', [1, 1]), 1) }, keepNames: true });
  expect(() => branches(first, other, { by: 'x', axis: 0, total: 'all' })).toThrow(
    /one model gives y, the other z/,
  );
});
