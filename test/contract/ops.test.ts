/** What holds for every operation: it has golden cases, and shapes of any kind go through it. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { vjp } from '../../src/autodiff/index.js';
import {
  type HostTensor,
  hostTensor,
  input,
  Op,
  type Shape,
  sizeOf,
  type Tensor,
  toNumbers,
} from '../../src/graph/index.js';
import * as ops from '../../src/ops/index.js';
import { expectClose } from '../support/compare.js';
import { testEngine } from '../support/engine.js';
import { goldenPath, loadGolden } from '../support/op-contract.js';

const DRAWN =
  "PyTorch draws other numbers; the host's hash is the referee in src/ops/random.test.ts";
/** Operations without a golden file, each with the reason and with what tests it instead. */
const EXEMPT: Readonly<Record<string, string>> = {
  bernoulli: DRAWN,
  boxMuller: DRAWN,
  foldIn: DRAWN,
  randomBits: DRAWN,
  randomUniform: DRAWN,
};

const all = Object.entries<unknown>(ops).flatMap(([exported, value]) =>
  value instanceof Op ? [[exported, value as Op] as const] : [],
);

describe('every operation', () => {
  test('names are unique and exports follow them', () => {
    expect(new Set(all.map(([, op]) => op.name)).size).toBe(all.length);
    for (const [exported, op] of all) expect(exported).toBe(`${op.name}Op`);
  });

  test.each(all.map(([, op]) => op.name))('%s has golden cases', (name) => {
    if (name in EXEMPT) return;
    expect(existsSync(goldenPath(name)), `test/golden/ops/${name}.json exists`).toBe(true);
    const cases = loadGolden(name);
    expect(cases.length).toBeGreaterThanOrEqual(3);
    const names = cases.map((c) => c.name);
    expect(new Set(names).size, `case names ${names.join(', ')} are unique`).toBe(names.length);
  });

  test('exemptions are of operations that exist and have no golden file', () => {
    const known = new Set(all.map(([, op]) => op.name));
    for (const name of Object.keys(EXEMPT)) {
      expect(known, `exempt ${name}`).toContain(name);
      expect(existsSync(goldenPath(name)), `${name} has golden cases after all`).toBe(false);
    }
  });

  test('a gradient rule, or the reason why there is none', () => {
    for (const [, op] of all) {
      const { grad } = op.spec;
      if (typeof grad !== 'function') expect(grad.reason.length, op.name).toBeGreaterThan(10);
    }
  });

  test('every golden file is named by some test', () => {
    const folder = new URL('../../src/', import.meta.url);
    const tests = readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.test.ts'))
      .map((file) => readFileSync(new URL(file, folder), 'utf8'))
      .join('\n');
    const words = new Set(tests.match(/\w+/g));
    for (const file of readdirSync(new URL('.', goldenPath('x')))) {
      const name = file.replace(/\.json$/, '');
      expect(words.has(name), `${file} is read by no test`).toBe(true);
      expect(loadGolden(name).length, file).toBeGreaterThan(0);
    }
  });
});

/** Eighths in [-4, 4]: float32 holds their sums and products exactly. */
function values(shape: Shape): fc.Arbitrary<HostTensor> {
  const size = sizeOf(shape);
  return fc
    .array(fc.integer({ min: -32, max: 32 }), { minLength: size, maxLength: size })
    .map((data) =>
      hostTensor(
        'float32',
        shape,
        data.map((v) => v / 8),
      ),
    );
}

const shapes = fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 4 });

/** Every index of `shape`, in row-major order. */
function indicesOf(shape: Shape): number[][] {
  return shape.reduce<number[][]>(
    (list, d) => list.flatMap((index) => Array.from({ length: d }, (_, i) => [...index, i])),
    [[]],
  );
}

/** The element of `x` at an index of a shape that it broadcasts to. */
function at(x: HostTensor, index: readonly number[]): number {
  const lead = index.length - x.shape.length;
  let offset = 0;
  for (const [axis, d] of x.shape.entries())
    offset = offset * d + (d === 1 ? 0 : index[lead + axis]!);
  return Number(x.data[offset]);
}

const dot = (a: readonly number[], b: readonly number[]) =>
  a.reduce((total, v, i) => total + v * b[i]!, 0);

async function run(outputs: Tensor[], feeds: [Tensor, HostTensor][]): Promise<HostTensor[]> {
  return (await testEngine()).evaluate(outputs, new Map(feeds));
}

const exact = { rtol: 0, atol: 0 };
/** A mean of eighths is rounded once. */
const rounded = { rtol: 1e-6, atol: 1e-6 };

describe('random shapes', () => {
  /** A shape, and two that broadcast to it. */
  const broadcast = shapes.chain((shape) => {
    const partner = fc
      .tuple(
        fc.array(fc.boolean(), { minLength: shape.length, maxLength: shape.length }),
        fc.nat({ max: shape.length }),
      )
      .map(([ones, drop]) => shape.map((d, i) => (ones[i] ? 1 : d)).slice(drop));
    return fc.tuple(partner, partner).chain(([a, b]) => fc.tuple(values(a), values(b)));
  });

  test('broadcasting: values, and gradients that sum what was repeated', async () => {
    await fc.assert(
      fc.asyncProperty(broadcast, async ([a, b]) => {
        const [x, y] = [input('x', 'float32', a.shape), input('y', 'float32', b.shape)];
        const results = [ops.add(x, y), ops.sub(x, y), ops.mul(x, y), ops.maximum(x, y)];
        const got = await run(results, [
          [x, a],
          [y, b],
        ]);
        const index = indicesOf(results[0]!.shape);
        const expected = [
          (i: number[]) => at(a, i) + at(b, i),
          (i: number[]) => at(a, i) - at(b, i),
          (i: number[]) => at(a, i) * at(b, i),
          (i: number[]) => Math.max(at(a, i), at(b, i)),
        ];
        for (const [k, fn] of expected.entries()) {
          expectClose(
            `result ${k}`,
            got[k]!,
            { shape: results[k]!.shape, data: index.map(fn) },
            exact,
          );
        }
        // d(sum xy)/dx is y, summed over what x was repeated along.
        const [dx] = vjp([ops.sum(results[2]!)], [ops.full('float32', [], 1)], [x]);
        const [gradient] = await run(
          [dx!],
          [
            [x, a],
            [y, b],
          ],
        );
        const total = dot(toNumbers(gradient!), toNumbers(a));
        expect(total).toBe(index.map(expected[2]!).reduce((s, v) => s + v, 0));
      }),
      { numRuns: 25 },
    );
  });

  /** A tensor and some of its axes. */
  const reducible = shapes.chain((shape) =>
    fc.tuple(values(shape), fc.subarray([...shape.keys()]), fc.boolean()),
  );

  test('reductions over any axes', async () => {
    await fc.assert(
      fc.asyncProperty(reducible, async ([value, axes, keepDims]) => {
        const x = input('x', 'float32', value.shape);
        const options = { axes, keepDims };
        const results = [
          ops.sum(x, options),
          ops.mean(x, options),
          ops.max(x, options),
          ops.min(x, options),
        ];
        const got = await run(results, [[x, value]]);
        const groups = new Map<string, number[]>();
        for (const i of indicesOf(value.shape)) {
          const key = i.filter((_, axis) => !axes.includes(axis)).join();
          groups.set(key, [...(groups.get(key) ?? []), at(value, i)]);
        }
        const shape = value.shape.flatMap((d, axis) =>
          axes.includes(axis) ? (keepDims ? [1] : []) : [d],
        );
        const sum = (v: number[]) => v.reduce((s, n) => s + n, 0);
        const expected = [
          sum,
          (v: number[]) => sum(v) / v.length,
          (v: number[]) => Math.max(...v),
          (v: number[]) => Math.min(...v),
        ];
        for (const [k, fn] of expected.entries()) {
          const want = { shape, data: [...groups.values()].map(fn) };
          expectClose(`reduction ${k}`, got[k]!, want, k === 1 ? rounded : exact);
        }
      }),
      { numRuns: 25 },
    );
  });

  const permuted = shapes.chain((shape) =>
    fc.tuple(
      values(shape),
      fc.shuffledSubarray([...shape.keys()], { minLength: shape.length, maxLength: shape.length }),
    ),
  );

  test('transpose and reshape move elements, and their gradients move them back', async () => {
    await fc.assert(
      fc.asyncProperty(permuted, async ([value, perm]) => {
        const x = input('x', 'float32', value.shape);
        const y = ops.transpose(x, perm);
        const flat = ops.reshape(y, [-1]);
        const dy = hostTensor(
          'float32',
          flat.shape,
          flat.shape[0] ? [...Array(flat.size).keys()] : [],
        );
        const seed = input('dy', 'float32', flat.shape);
        const [dx] = vjp([flat], [seed], [x]);
        const [moved, line, back] = await run(
          [y, flat, dx!],
          [
            [x, value],
            [seed, dy],
          ],
        );
        const inverse = perm.map((_, axis) => perm.indexOf(axis));
        const shape = perm.map((p) => value.shape[p]!);
        const data = indicesOf(shape).map((i) =>
          at(
            value,
            inverse.map((k) => i[k]!),
          ),
        );
        expectClose('transpose', moved!, { shape, data }, exact);
        expectClose('reshape', line!, { shape: [data.length], data }, exact);
        // <A x, dy> = <x, A' dy> for the linear map A.
        expect(dot(toNumbers(line!), toNumbers(dy))).toBe(dot(toNumbers(value), toNumbers(back!)));
      }),
      { numRuns: 25 },
    );
  });
});
