import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { expectClose } from '../../test/support/compare.js';
import { testEngine } from '../../test/support/engine.js';
import {
  constant,
  type HostTensor,
  hostTensor,
  input,
  optimize,
  type Tensor,
  toNumbers,
  toposort,
  withScope,
} from '../graph/index.js';
import { encode } from '../onnx/index.js';
import {
  add,
  concat,
  dropout,
  embedding,
  exp,
  foldIn,
  matmul,
  mul,
  neg,
  reshape,
  sum,
  transpose,
} from '../ops/index.js';
import { nodeRuntime } from '../runtime/ort-node.js';
import { makeKey } from '../util/index.js';
import { checkpoint, grad, vjp } from './index.js';

const LAYERS = 5;
const x = input('x', 'float32', [6, 4]);
const key = input('key', 'int32', [2]);
const weights = Array.from({ length: LAYERS }, (_, i) => input(`w${i}`, 'float32', [4, 4]));

const wave = (t: Tensor, phase: number): [Tensor, HostTensor] => [
  t,
  hostTensor(
    'float32',
    t.shape,
    Array.from({ length: t.size }, (_, i) => Math.sin(7.1 * i + phase)),
  ),
];
const feeds = new Map<Tensor, HostTensor>([
  wave(x, 1),
  ...weights.map((w, i) => wave(w, i)),
  [key, hostTensor('int32', [2], Int32Array.from(makeKey(5, 1)))],
]);

/** A chain of layers, each one a region when asked. */
function chain(checkpointed: boolean): { loss: Tensor; grads: Tensor[] } {
  let h: Tensor = x;
  for (const [i, w] of weights.entries()) {
    const layer = (t: Tensor) => {
      const y = exp(neg(matmul(t, w)));
      return add(mul(dropout(y, 0.3, foldIn(key, i)), 0.2), t);
    };
    h = withScope(`layer${i}`, () => (checkpointed ? checkpoint((t) => layer(t!), [h]) : layer(h)));
  }
  const loss = sum(mul(h, h));
  return { loss, grads: grad(loss, [x, ...weights]) };
}

const bytesOf = (t: HostTensor) => Buffer.from(t.data.buffer, t.data.byteOffset, t.data.byteLength);

describe('checkpoint', () => {
  test('changes no bit of loss and gradients, dropout included', async () => {
    const engine = await testEngine();
    const plain = chain(false);
    const marked = chain(true);
    const want = await engine.evaluate([plain.loss, ...plain.grads], feeds);
    const got = await engine.evaluate([marked.loss, ...marked.grads], feeds);
    for (const [i, w] of want.entries()) expect(bytesOf(got[i]!).equals(bytesOf(w))).toBe(true);
    // The comparison means something: units were dropped, and the gradients are not zero.
    expect(new Set(want.flatMap(toNumbers)).size).toBeGreaterThan(90);
  });

  test('gives the same second order', async () => {
    const engine = await testEngine();
    const again = ({ grads }: { grads: Tensor[] }) => vjp(grads.slice(1), weights, [x, ...weights]);
    const want = await engine.evaluate(again(chain(false)), feeds);
    const got = await engine.evaluate(again(chain(true)), feeds);
    for (const [i, w] of want.entries()) {
      const data = toNumbers(w);
      // Terms are added up in another order here, so the last bits differ.
      const atol = 1e-5 * Math.max(...data.map(Math.abs));
      expectClose(`second order ${i}`, got[i]!, { shape: w.shape, data }, { rtol: 1e-4, atol });
    }
  });

  test('really computes twice: no pass merges copy and original', () => {
    const count = ({ loss, grads }: { loss: Tensor; grads: Tensor[] }, name: string) =>
      toposort(optimize([loss, ...grads])).filter((n) => n.op.name === name).length;
    expect(count(chain(false), 'exp')).toBe(LAYERS);
    expect(count(chain(true), 'exp')).toBe(2 * LAYERS);
    // The mask is drawn again rather than kept.
    expect(count(chain(false), 'bernoulli')).toBe(LAYERS);
    expect(count(chain(true), 'bernoulli')).toBe(2 * LAYERS);
  });

  test('runs each copy when its gradient has arrived, and is done with it before the next', async () => {
    const { loss, grads } = chain(true);
    const outputs = optimize([loss, ...grads]);
    const model = encode({
      outputs: Object.fromEntries(outputs.map((t, i) => [String(i), t])),
      keepNames: true,
    });
    const folder = mkdtempSync(join(tmpdir(), 'graft-profile-'));
    try {
      const runtime = await nodeRuntime({ threads: 1 });
      const session = await runtime.load(model, { profile: join(folder, 'run') });
      const fed = new Map([...feeds].map(([t, v]) => [(t.node.attrs as { name: string }).name, v]));
      const ready = await Promise.all(
        model.inputs.map(
          async (v) => [v.onnxName, await runtime.upload(fed.get(v.name)!)] as const,
        ),
      );
      await session.run(
        Object.fromEntries(ready),
        Object.fromEntries(model.outputs.map((v) => [v.onnxName, null])),
      );
      await session.release();
      const file = readdirSync(folder).find((f) => f.endsWith('.json'))!;
      const events: { name: string; ts: number }[] = JSON.parse(
        readFileSync(join(folder, file), 'utf8'),
      );
      // Fused nodes keep the name of one of theirs at the front.
      const ran = events
        .map((e) => ({ ...e, node: /^(n\d+_(?:MatMul|Exp)).*_kernel_time$/.exec(e.name)?.[1] }))
        .filter((e) => e.node)
        .sort((a, b) => a.ts - b.ts)
        .map((e) => `${e.node!.replace(/n\d+_/, '')} ${model.origins.get(e.node!)!.scope}`);
      const names = Array.from({ length: LAYERS }, (_, i) => `layer${i}`);
      const forward = (name: string) => [`MatMul ${name}`, `Exp ${name}`];
      // The gradients of weight and input follow the copy, before the next copy starts.
      const backward = (name: string) => [...forward(name), `MatMul ${name}`, `MatMul ${name}`];
      expect(ran).toEqual([...names.flatMap(forward), ...names.toReversed().flatMap(backward)]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test('handles integers, several results, and inputs made from one another', async () => {
    const engine = await testEngine();
    const table = input('table', 'float32', [5, 4]);
    const ids = constant([4, 0, 4], 'int64', [3]);
    const build = (marked: boolean) => {
      const fn = (a: Tensor, b: Tensor, i: Tensor): readonly Tensor[] => {
        const rows = embedding(table, i);
        return [matmul(rows, transpose(a)), mul(b, 3), exp(concat([rows, b], 0))];
      };
      // b is made from a, and the region also takes the table from outside.
      const b = mul(weights[0]!, weights[0]!);
      const [p, , q] = marked
        ? checkpoint((s, t, i) => fn(s!, t!, i!), [weights[0]!, b, ids])
        : fn(weights[0]!, b, ids);
      return grad(add(sum(mul(p!, p!)), sum(q!)), [weights[0]!, table]);
    };
    const fed = new Map([wave(weights[0]!, 0), wave(table, 3)]);
    const want = await engine.evaluate(build(false), fed);
    const got = await engine.evaluate(build(true), fed);
    for (const [i, w] of want.entries()) {
      expectClose(
        `gradient ${i}`,
        got[i]!,
        { shape: w.shape, data: toNumbers(w) },
        {
          // Two contributions to one weight are added in another order.
          rtol: 1e-6,
          atol: 1e-6,
        },
      );
    }
  });

  test('nests, and passes through what does nothing', async () => {
    const engine = await testEngine();
    const w = weights[0]!;
    const inner = (t: Tensor) => exp(neg(matmul(t, w)));
    const plain = grad(sum(inner(mul(inner(x), 0.1))), [x, w]);
    const nested = checkpoint((t) => checkpoint((s) => inner(s!), [mul(inner(t!), 0.1)]), [x]);
    const got = await engine.evaluate(grad(sum(nested), [x, w]), feeds);
    for (const [i, t] of (await engine.evaluate(plain, feeds)).entries()) {
      expectClose(
        `gradient ${i}`,
        got[i]!,
        { shape: t.shape, data: toNumbers(t) },
        {
          rtol: 1e-5,
          atol: 1e-6,
        },
      );
    }
    const [dx] = grad(sum(checkpoint((t) => t!, [reshape(x, [24])])), [x]);
    expect(new Set(toNumbers((await engine.evaluate([dx!]))[0]!))).toEqual(new Set([1]));
  });
});
