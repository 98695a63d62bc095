/** Folding must give what ONNX Runtime gives: both are run on the same random values. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { expectClose } from '../../test/support/compare.js';
import { testEngine } from '../../test/support/engine.js';
import {
  constantOf,
  constantValue,
  type DType,
  type HostTensor,
  hostTensor,
  input,
  isFloat,
  optimize,
  type Shape,
  sizeOf,
  type Tensor,
  toNumbers,
} from '../graph/index.js';
import * as ops from './index.js';

interface Domain {
  readonly low: number;
  readonly high: number;
  /** Values that the operation has no result for. */
  readonly without?: readonly number[];
}

/** Ranges that overflow when multiplied, so that wrapping is seen, but stay exact as numbers. */
const ranges: Record<string, Domain> = {
  int64: { low: -(2 ** 40), high: 2 ** 40 },
  int32: { low: -(2 ** 31) + 1, high: 2 ** 31 - 1 },
  int16: { low: -32767, high: 32767 },
  int8: { low: -127, high: 127 },
  uint8: { low: 0, high: 255 },
  bool: { low: 0, high: 1 },
};

function values(dtype: DType, shape: Shape, domain?: Domain): fc.Arbitrary<HostTensor> {
  const { low, high, without = [] } = domain ?? ranges[dtype] ?? { low: -8, high: 8 };
  // Eighths are exact in every float type, so that sums and products are too.
  const element = isFloat(dtype)
    ? fc.integer({ min: low * 8, max: high * 8 }).map((n) => n / 8)
    : fc.integer({ min: low, max: high });
  const allowed = element.filter((v) => !without.includes(v));
  const size = sizeOf(shape);
  return fc
    .array(allowed, { minLength: size, maxLength: size })
    .map((data) => hostTensor(dtype, shape, data));
}

/** The folded result and that of a session, both from `build`. */
async function bothWays(build: (inputs: Tensor[]) => Tensor, given: readonly HostTensor[]) {
  const folded = constantValue(optimize([build(given.map(constantOf))])[0]!);
  expect(folded, 'the operation folds').not.toBeNull();
  const inputs = given.map((v, i) => input(`x${i}`, v.dtype, v.shape));
  const feeds = new Map(inputs.map((t, i) => [t, given[i]!] as const));
  const [run] = await (await testEngine()).evaluate([build(inputs)], feeds);
  return { folded: folded!, run: run! };
}

interface Property {
  readonly build: (inputs: Tensor[]) => Tensor;
  readonly dtypes: readonly (readonly DType[])[];
  readonly shapes: readonly (readonly Shape[])[];
  readonly domains?: readonly (Domain | undefined)[];
}

function agrees(name: string, { build, dtypes, shapes, domains = [] }: Property) {
  for (const types of dtypes) {
    test(`${name} of ${types.join(', ')}`, async () => {
      for (const shape of shapes) {
        const given = fc.tuple(...types.map((t, i) => values(t, shape[i]!, domains[i])));
        await fc.assert(
          fc.asyncProperty(given, async (tensors) => {
            const { folded, run } = await bothWays(build, tensors);
            expect(folded.dtype).toBe(run.dtype);
            const want = { shape: run.shape, data: toNumbers(run) };
            // Transcendental functions may differ in the last bits; everything else must not.
            const exact = !isFloat(run.dtype);
            const tolerance = exact ? { rtol: 0, atol: 0 } : { rtol: 2e-6, atol: 1e-30 };
            expectClose(name, folded, want, tolerance);
          }),
          { numRuns: 12 },
        );
      }
    });
  }
}

const pairs: Shape[][] = [
  [
    [2, 3],
    [2, 3],
  ],
  [
    [2, 1, 3],
    [4, 1],
  ],
  [[], [5]],
];
const one: Shape[][] = [[[5]], [[2, 3]], [[]]];
const twice = (...dtypes: DType[]) => dtypes.map((d) => [d, d]);
const single = (...dtypes: DType[]) => dtypes.map((d) => [d]);
const small = { low: -9, high: 9 };
const divisor = { ...small, without: [0] };

describe('folding agrees with ONNX Runtime', () => {
  const wrapping = twice('float32', 'int64', 'int32', 'int8', 'uint8');
  agrees('add', { build: ([a, b]) => ops.add(a!, b!), dtypes: wrapping, shapes: pairs });
  agrees('sub', { build: ([a, b]) => ops.sub(a!, b!), dtypes: wrapping, shapes: pairs });
  agrees('mul', { build: ([a, b]) => ops.mul(a!, b!), dtypes: wrapping, shapes: pairs });
  const signed = twice('float32', 'int64', 'int32', 'int8');
  const quotient = { shapes: pairs, domains: [undefined, divisor] };
  agrees('div', { build: ([a, b]) => ops.div(a!, b!), dtypes: signed, ...quotient });
  agrees('mod', { build: ([a, b]) => ops.mod(a!, b!), dtypes: signed, ...quotient });
  agrees('mod truncated', {
    build: ([a, b]) => ops.mod(a!, b!, { truncated: true }),
    dtypes: signed,
    ...quotient,
  });
  agrees('pow', {
    build: ([a, b]) => ops.pow(a!, b!),
    dtypes: twice('float32', 'int64', 'int32'),
    shapes: pairs,
    domains: [divisor, { low: 0, high: 5 }],
  });

  const ordered = twice('float32', 'int64', 'int32', 'int16', 'uint8');
  agrees('minimum', { build: ([a, b]) => ops.minimum(a!, b!), dtypes: ordered, shapes: pairs });
  agrees('maximum', { build: ([a, b]) => ops.maximum(a!, b!), dtypes: ordered, shapes: pairs });
  const comparisons = [
    ops.equal,
    ops.notEqual,
    ops.less,
    ops.lessEqual,
    ops.greater,
    ops.greaterEqual,
  ];
  for (const fn of comparisons) {
    agrees(fn.name, {
      build: ([a, b]) => fn(a!, b!),
      dtypes: twice('float32', 'int64', 'int32'),
      shapes: pairs,
      domains: [small, small],
    });
  }
  for (const fn of [ops.logicalAnd, ops.logicalOr, ops.logicalXor]) {
    agrees(fn.name, { build: ([a, b]) => fn(a!, b!), dtypes: twice('bool'), shapes: pairs });
  }
  agrees('logicalNot', { build: ([x]) => ops.logicalNot(x!), dtypes: single('bool'), shapes: one });
  agrees('where', {
    build: ([c, a, b]) => ops.where(c!, a!, b!),
    dtypes: (['float32', 'int64', 'bool'] as const).map((d) => ['bool', d, d]),
    shapes: [
      [[3], [2, 3], [2, 1]],
      [[2, 3], [], [3]],
    ],
  });

  for (const fn of [ops.neg, ops.abs, ops.sign, ops.square]) {
    const dtypes = single('float32', 'int64', 'int32', 'int8');
    agrees(fn.name || 'unary', { build: ([x]) => fn(x!), dtypes, shapes: one });
  }
  const functions = {
    floor: ops.floor,
    ceil: ops.ceil,
    round: ops.round,
    exp: ops.exp,
    log: ops.log,
    sqrt: ops.sqrt,
    reciprocal: ops.reciprocal,
    isNaN: ops.isNaN,
    isInf: ops.isInf,
  };
  for (const [name, fn] of Object.entries(functions)) {
    agrees(name, { build: ([x]) => fn(x!), dtypes: single('float32'), shapes: one });
  }
  agrees('clip', {
    build: ([x]) => ops.clip(x!, { min: -3, max: 5 }),
    dtypes: single('float32', 'int64', 'int32'),
    shapes: one,
    domains: [small],
  });

  const castTypes = ['float32', 'float64', 'int64', 'int32', 'uint8', 'bool'] as const;
  for (const to of castTypes) {
    agrees(`cast to ${to}`, {
      build: ([x]) => ops.cast(x!, to),
      dtypes: castTypes.filter((d) => d !== to).map((d) => [d]),
      shapes: one,
      domains: [{ low: 0, high: 100 }],
    });
  }
  agrees('transpose', {
    build: ([x]) => ops.transpose(x!, [2, 0, 1]),
    dtypes: single('int64', 'float32'),
    shapes: [[[2, 3, 4]], [[1, 5, 2]]],
  });
  agrees('expand', {
    build: ([x]) => ops.expand(x!, [3, 2, 4]),
    dtypes: single('int64', 'float32'),
    shapes: [[[2, 1]], [[4]], [[]]],
  });
  const reductions = { sum: ops.sum, prod: ops.prod, max: ops.max, min: ops.min };
  for (const [name, fn] of Object.entries(reductions)) {
    agrees(name, {
      build: ([x]) => fn(x!, { axes: [0, 2] }),
      dtypes: single('float32', 'int64', 'int32'),
      shapes: [[[2, 3, 2]], [[1, 3, 4]]],
      domains: [small],
    });
  }
  // Beyond 2^31, where ONNX Runtime's own extrema of int64 go wrong.
  for (const fn of [ops.max, ops.min]) {
    agrees(`wide ${fn === ops.max ? 'max' : 'min'}`, {
      build: ([x]) => fn(x!),
      dtypes: single('int64'),
      shapes: [[[3, 5]], [[17]]],
    });
  }
  agrees('wide clip', {
    build: ([x]) => ops.clip(x!, { min: 2 ** 32 - 5, max: 2 ** 32 + 2 ** 31 }),
    dtypes: single('int64'),
    shapes: [[[17]]],
  });
  agrees('division of the smallest integer by -1', {
    build: ([a, b]) => ops.add(ops.div(a!, b!), ops.mod(a!, b!)),
    dtypes: twice('int32'),
    shapes: [[[2], [2]]],
    domains: [
      { low: -(2 ** 31), high: -(2 ** 31) },
      { low: -1, high: -1 },
    ],
  });
});

describe('folding declines', () => {
  const left = (t: Tensor) => constantValue(optimize([t])[0]!);
  const constant = (dtype: DType, ...data: number[]) =>
    constantOf(hostTensor(dtype, [data.length], data));

  test('what has no result', () => {
    expect(left(ops.div(constant('int64', 7), constant('int64', 0)))).toBeNull();
    expect(left(ops.mod(constant('int32', 7), constant('int32', 0)))).toBeNull();
    expect(left(ops.pow(constant('int64', 2), constant('int64', -1)))).toBeNull();
  });

  test('casts whose result the standard leaves open', () => {
    expect(left(ops.cast(constant('float32', Number.NaN), 'int64'))).toBeNull();
    expect(left(ops.cast(constant('float32', -1), 'uint8'))).toBeNull();
    expect(left(ops.cast(constant('float32', 1e30), 'int32'))).toBeNull();
  });

  test('NaN is true, and wins an extremum', () => {
    const nan = constant('float32', Number.NaN);
    expect(left(ops.cast(nan, 'bool'))!.data[0]).toBe(1);
    expect(left(ops.maximum(nan, 1))!.data[0]).toBeNaN();
    expect(left(ops.minimum(1, nan))!.data[0]).toBeNaN();
  });
});
