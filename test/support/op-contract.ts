/**
 * The contract of every operation, checked against a golden file made with PyTorch:
 * the inferred type is ONNX Runtime's, values and gradients agree elementwise with PyTorch, the
 * gradient agrees with central differences, and the second order agrees where it is stored.
 */
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { vjp } from '../../src/autodiff/index.js';
import type { Engine } from '../../src/engine/index.js';
import {
  type DType,
  type HostTensor,
  hostTensor,
  input,
  isFloat,
  optimize,
  type Tensor,
  toNumbers,
  verify,
} from '../../src/graph/index.js';
import { add, mul, sum } from '../../src/ops/index.js';
import { expectClose, type Tolerance } from './compare.js';
import { testDevice, testEngine } from './engine.js';

interface GoldenTensor {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly data: readonly number[];
}

/** One case of a golden file; `scripts/golden/common.py` says what the fields are. */
export interface GoldenCase {
  readonly name: string;
  /** Why central differences do not hold for this case (ties, infinities). */
  readonly kink?: string;
  // biome-ignore lint/suspicious/noExplicitAny: arguments are whatever the test's builder takes.
  readonly args: any;
  readonly inputs: readonly GoldenTensor[];
  readonly outputs: readonly GoldenTensor[];
  readonly dys?: readonly (GoldenTensor | null)[];
  readonly grads?: readonly (GoldenTensor | null)[];
  readonly vs?: readonly (GoldenTensor | null)[];
  readonly second?: readonly (GoldenTensor | null)[];
  readonly secondDys?: readonly (GoldenTensor | null)[];
}

const folder = new URL('../golden/ops/', import.meta.url);

/** Path of the golden file of an operation. */
export function goldenPath(op: string): URL {
  return new URL(`${op}.json`, folder);
}

/** The cases of an operation; non-finite numbers are stored as strings. */
export function loadGolden(op: string): GoldenCase[] {
  const path = goldenPath(op);
  if (!existsSync(path)) throw new Error(`No golden file ${path.pathname}; see scripts/golden/.`);
  const revive = (_: string, v: unknown) =>
    v === 'NaN' || v === 'Infinity' || v === '-Infinity' ? Number(v) : v;
  return JSON.parse(readFileSync(path, 'utf8'), revive).cases;
}

/** Builds the operation on placeholders of a case. */
export type Build = (
  inputs: Tensor[],
  // biome-ignore lint/suspicious/noExplicitAny: see GoldenCase.args.
  args: any,
) => Tensor | readonly Tensor[];

/** What may be loosened for an operation, with the reason in the test. */
export interface ContractOptions {
  readonly value?: Tolerance;
  readonly gradient?: Tolerance;
  readonly second?: Tolerance;
  /** No central differences, and why (a kink at every point, say). */
  readonly skipDifferences?: string;
}

const list = (t: Tensor | readonly Tensor[]): readonly Tensor[] =>
  Array.isArray(t) ? (t as readonly Tensor[]) : [t as Tensor];

function feedsOf(tensors: readonly Tensor[], values: readonly (GoldenTensor | null)[]) {
  const feeds = new Map<Tensor, HostTensor>();
  for (const [i, t] of tensors.entries()) {
    const v = values[i];
    if (v) feeds.set(t, hostTensor(t.dtype, v.shape, v.data));
  }
  return feeds;
}

/** Keeps only the feeds that the optimized graph still reads. */
async function evaluate(
  engine: Engine,
  outputs: readonly Tensor[],
  feeds: Map<Tensor, HostTensor>,
): Promise<HostTensor[]> {
  verify(optimize(outputs));
  return engine.evaluate(outputs, feeds);
}

async function checkDifferences(engine: Engine, build: Build, c: GoldenCase, dtype: DType) {
  const double = dtype === 'float64';
  const inputs = c.inputs.map((v, i) =>
    input(`x${i}`, isFloat(v.dtype) ? dtype : v.dtype, v.shape),
  );
  const outputs = list(build(inputs, c.args));
  const dys = outputs.map((y, i) => (c.dys?.[i] ? input(`dy${i}`, y.dtype, y.shape) : null));
  const terms = outputs.flatMap((y, i) => (dys[i] ? [sum(mul(y, dys[i]!))] : []));
  const objective = terms.reduce((a, b) => add(a, b));
  const wrt = inputs.filter((_, i) => c.grads?.[i]);
  const grads = vjp([objective], [sum(input('one', dtype, [1]))], wrt);
  const feeds = feedsOf(inputs, c.inputs);
  for (const [i, d] of dys.entries()) {
    if (d) feeds.set(d, hostTensor(d.dtype, d.shape, c.dys![i]!.data));
  }
  const one = grads[0]!.node; // keeps the compiler honest about `grads` being non-empty
  expect(one).toBeDefined();
  const named = Object.fromEntries(
    [...feeds].map(([t, v]) => [(t.node.attrs as { name: string }).name, v]),
  );
  const program = await engine.program({ objective });
  const at = async () => {
    const result = await program.run(named);
    return toNumbers(await engine.runtime.download(result.objective!))[0]!;
  };
  const gradProgram = await engine.program(
    Object.fromEntries(grads.map((g, i) => [`g${i}`, g] as const)),
  );
  const gradResult = await gradProgram.run({ ...named, one: hostTensor(dtype, [1], [1]) });
  let k = 0;
  for (const [i, want] of c.grads!.entries()) {
    if (!want) continue;
    const analytic = toNumbers(await engine.runtime.download(gradResult[`g${k++}`]!));
    const value = named[`x${i}`]!;
    const data = value.data as Float64Array;
    const stride = Math.max(1, Math.floor(data.length / 24));
    for (let j = 0; j < data.length; j += stride) {
      const x = data[j]!;
      const eps = (double ? 1e-6 : 4e-3) * Math.max(1, Math.abs(x));
      data[j] = x + eps;
      const high = data[j]!;
      const fHigh = await at();
      data[j] = x - eps;
      const low = data[j]!;
      const fLow = await at();
      data[j] = x;
      const numeric = (fHigh - fLow) / (high - low);
      const scale = Math.max(1, Math.abs(numeric), Math.abs(fHigh));
      expect(
        Math.abs(numeric - analytic[j]!) / scale,
        `${c.name}: central difference of input ${i}, element ${j}: ${numeric}, gradient says ${analytic[j]}`,
      ).toBeLessThan(double ? 1e-6 : 1e-2);
    }
  }
}

/**
 * A GPU may compute sine and cosine to 2^-11, and drop NaN and infinity: so says WGSL. Anything
 * worse is a fault.
 */
const GPU_TOLERANCE: Tolerance = { rtol: 1e-3, atol: 2 ** -11 };

function onDevice(tolerance: Tolerance): Tolerance {
  if (testDevice === 'cpu') return tolerance;
  return {
    rtol: Math.max(tolerance.rtol, GPU_TOLERANCE.rtol),
    atol: Math.max(tolerance.atol, GPU_TOLERANCE.atol),
  };
}

function finiteCase(c: GoldenCase): boolean {
  const tensors = [c.inputs, c.outputs, c.grads ?? [], c.second ?? []].flat();
  return tensors.every((t) => t === null || t.data.every(Number.isFinite));
}

/**
 * Runs the contract over all golden cases of `op`.
 * @param build makes the operation's outputs from placeholders and the arguments of the case
 */
export function opContract(op: string, build: Build, options: ContractOptions = {}): void {
  const {
    value = { rtol: 1e-5, atol: 1e-6 },
    gradient = { rtol: 1e-4, atol: 1e-5 },
    second = { rtol: 1e-3, atol: 1e-4 },
  } = options;
  describe(op, () => {
    for (const c of loadGolden(op)) {
      test.skipIf(testDevice !== 'cpu' && !finiteCase(c))(c.name, async () => {
        const engine = await testEngine();
        const inputs = c.inputs.map((v, i) => input(`x${i}`, v.dtype, v.shape));
        const outputs = list(build(inputs, c.args));
        expect(outputs.length, 'number of outputs').toBe(c.outputs.length);
        const feeds = feedsOf(inputs, c.inputs);
        const results = await evaluate(engine, outputs, feeds);
        for (const [i, want] of c.outputs.entries()) {
          expect(results[i]!.shape, `inferred shape of output ${i}`).toEqual(outputs[i]!.shape);
          expect(results[i]!.dtype, `inferred dtype of output ${i}`).toEqual(outputs[i]!.dtype);
          expectClose(`output ${i}`, results[i]!, want, onDevice(value));
        }
        if (!c.grads || !c.dys) return;

        const dys = outputs.map((y, i) => (c.dys![i] ? input(`dy${i}`, y.dtype, y.shape) : null));
        const wrtAt = [...inputs.keys()].filter((i) => c.grads![i]);
        const wrt = wrtAt.map((i) => inputs[i]!);
        const grads = vjp(outputs, dys, wrt);
        for (const [i, d] of dys.entries()) {
          if (d) feeds.set(d, hostTensor(d.dtype, d.shape, c.dys[i]!.data));
        }
        const got = await evaluate(engine, grads, feeds);
        for (const [k, i] of wrtAt.entries()) {
          expectClose(`gradient of input ${i}`, got[k]!, c.grads[i]!, onDevice(gradient));
        }

        if (c.second && c.vs) {
          const vs = wrtAt.map((i) => input(`v${i}`, 'float32', c.vs![i]!.shape));
          for (const [k, i] of wrtAt.entries()) {
            feeds.set(vs[k]!, hostTensor('float32', c.vs[i]!.shape, c.vs[i]!.data));
          }
          const dyWrt = dys.filter((d): d is Tensor => d !== null);
          const again = vjp(grads, vs, [...wrt, ...dyWrt]);
          const got2 = await evaluate(engine, again, feeds);
          for (const [k, i] of wrtAt.entries()) {
            expectClose(`second order of input ${i}`, got2[k]!, c.second[i]!, onDevice(second));
          }
          const dyAt = [...dys.keys()].filter((i) => dys[i]);
          for (const [k, i] of dyAt.entries()) {
            expectClose(
              `second order of dy ${i}`,
              got2[wrt.length + k]!,
              c.secondDys![i]!,
              onDevice(second),
            );
          }
        }

        if (!options.skipDifferences && !c.kink) {
          // Double where ONNX Runtime has a double kernel for everything, else scaled steps in single.
          try {
            await checkDifferences(engine, build, c, 'float64');
          } catch (error) {
            if (
              !/NOT_IMPLEMENTED|cannot compute|Could not find an implementation|type constraint|Type Error|INVALID_GRAPH/i.test(
                String(error),
              )
            )
              throw error;
            await checkDifferences(engine, build, c, 'float32');
          }
        }
      });
    }
  });
}
