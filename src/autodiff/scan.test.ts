import { describe, expect, test } from 'vitest';
import { testEngine } from '../../test/support/engine.js';
import { opContract } from '../../test/support/op-contract.js';
import { constant, hostTensor, input, type Tensor, toNumbers, toposort } from '../graph/index.js';
import {
  add,
  cast,
  div,
  exp,
  matmul,
  mul,
  neg,
  split,
  sub,
  sum,
  transpose,
  zeros,
} from '../ops/index.js';
import { grad, scan, vjp } from './index.js';

const sigmoid = (x: Tensor) => div(1, add(1, exp(neg(x))));
const tanh = (x: Tensor) => sub(mul(2, sigmoid(mul(2, x))), 1);

type Args = { net: string; reverse?: boolean; length?: number };

const nets: Record<string, (inputs: Tensor[], args: Args) => readonly Tensor[]> = {
  lstm([xs, h0, c0, w, u, b], { reverse = false }) {
    const { carry, ys } = scan(
      ([h, c], [x]) => {
        const gates = add(add(matmul(x!, w!), matmul(h!, u!)), b!);
        const [i, g, f, o] = split(gates, 4, -1);
        const c1 = add(mul(sigmoid(f!), c!), mul(sigmoid(i!), tanh(g!)));
        const h1 = mul(sigmoid(o!), tanh(c1));
        return { carry: [h1, c1], ys: [h1] };
      },
      { init: [h0!, c0!], xs: [xs!], reverse },
    );
    return [ys[0]!, ...carry];
  },
  gru([xs, h0, w, u], { reverse = false }) {
    const { carry, ys } = scan(
      ([h], [x]) => {
        // Made inside the step, but the same at every step.
        const scaled = mul(transpose(u!), 0.5);
        const [wzr, wn] = split(w!, [6, 3], -1);
        const [uzr, un] = split(scaled, [6, 3], -1);
        const gates = sigmoid(add(matmul(x!, wzr!), matmul(h!, uzr!)));
        const [z, r] = split(gates, 2, -1);
        const n = tanh(add(matmul(x!, wn!), matmul(mul(r!, h!), un!)));
        const h1 = add(mul(sub(1, z!), n), mul(z!, h!));
        return { carry: [h1], ys: [h1, r!] };
      },
      { init: [h0!], xs: [xs!], reverse },
    );
    return [ys[0]!, ys[1]!, carry[0]!];
  },
  power([x, w], { length }) {
    return scan(([s]) => ({ carry: [tanh(matmul(s!, w!))] }), { init: [x!], length: length! })
      .carry;
  },
  counted([xs, s0]) {
    const { carry } = scan(
      ([s, n], [x]) => ({
        carry: [add(mul(s!, x!), cast(n!, x!.dtype)), add(n!, 1)],
      }),
      { init: [s0!, constant([1], 'int64', [])], xs: [xs!] },
    );
    return [carry[0]!];
  },
  nested([xs, s0]) {
    const { carry, ys } = scan(
      ([s], [x]) => {
        const inner = scan(([q], [v]) => ({ carry: [mul(q!, tanh(add(v!, s!)))] }), {
          init: [s!],
          xs: [x!],
        });
        const q = inner.carry[0]!;
        return { carry: [add(s!, q)], ys: [q] };
      },
      { init: [s0!], xs: [xs!] },
    );
    return [ys[0]!, carry[0]!];
  },
};

opContract('scan', (inputs, args: Args) => nets[args.net]!(inputs, args));

describe('scan', () => {
  const xs = input('xs', 'float32', [4, 2]);
  const feeds = new Map([[xs, hostTensor('float32', [4, 2], [1, 2, 3, 4, 5, 6, 7, 8])]]);
  const w = input('w', 'float32', [2]);

  test('keeps the positions of the slices in both directions', async () => {
    const engine = await testEngine();
    const sums = (reverse: boolean) =>
      scan(([s], [x]) => ({ carry: [add(s!, x!)], ys: [add(s!, x!), s!] }), {
        init: [zeros('float32', [2])],
        xs: [xs],
        reverse,
      });
    const [up, before, down, after, last] = await engine.evaluate(
      [...sums(false).ys, ...sums(true).ys, ...sums(true).carry],
      feeds,
    );
    expect(toNumbers(up!)).toEqual([1, 2, 4, 6, 9, 12, 16, 20]);
    expect(toNumbers(before!)).toEqual([0, 0, 1, 2, 4, 6, 9, 12]);
    expect(toNumbers(down!)).toEqual([16, 20, 15, 18, 12, 14, 7, 8]);
    expect(toNumbers(after!)).toEqual([15, 18, 12, 14, 7, 8, 0, 0]);
    expect(toNumbers(last!)).toEqual([16, 20]);
  });

  test('moves what does not change out of the loop, and leaves constants in it', () => {
    const { carry } = scan(([s], [x]) => ({ carry: [add(mul(s!, exp(neg(w))), mul(x!, 3))] }), {
      init: [zeros('float32', [2])],
      xs: [xs],
    });
    const { node } = carry[0]!;
    expect(node.inputs.map((t) => t.node.op.name)).toEqual(['expand', 'input', 'exp']);
    const { body } = node.attrs as { body: { outputs: Tensor[] } };
    const inside = toposort(body.outputs).map((n) => n.op.name);
    expect(inside.filter((name) => name === 'exp' || name === 'neg')).toEqual([]);
    expect(inside).toContain('constant');
  });

  test('saves its carries only for a gradient', async () => {
    const engine = await testEngine();
    const { carry } = scan(([s], [x]) => ({ carry: [mul(s!, x!)] }), { init: [w], xs: [xs] });
    const bytes = async (outputs: Record<string, Tensor>) =>
      (await engine.program(outputs)).model.bytes.length;
    const [dw] = grad(sum(carry[0]!), [w]);
    expect(carry[0]!.node.outputs.length).toBe(2);
    const y = carry[0]!;
    expect(await bytes({ y, dw: dw! })).toBeGreaterThan((await bytes({ y })) + 100);
  });

  test('gradient of weights is one product of all steps, not a sum carried along', () => {
    const u = input('u', 'float32', [2, 2]);
    const big = input('big', 'float32', [8, 8]);
    const seq = input('seq', 'float32', [5, 1, 8]);
    const { carry } = scan(([h], [x]) => ({ carry: [tanh(matmul(add(h!, x!), big))] }), {
      init: [zeros('float32', [1, 8])],
      xs: [seq],
    });
    const [dBig] = grad(sum(carry[0]!), [big]);
    expect(dBig!.node.op.name).toBe('matmul');
    // Factors of [2, 2] are no smaller than their product: this one is carried.
    const small = scan(([h]) => ({ carry: [matmul(h!, u)] }), {
      init: [zeros('float32', [2, 2])],
      length: 5,
    });
    expect(grad(sum(small.carry[0]!), [u])[0]!.node.op.name).toBe('scan');
  });

  test('a captured value made from another one is not differentiated twice', async () => {
    const engine = await testEngine();
    const double = mul(w, 2);
    // s' = s + w + 2 w, four times: ds/dw = 12.
    const { carry } = scan(([s]) => ({ carry: [add(add(s!, w), double)] }), {
      init: [zeros('float32', [2])],
      length: 4,
    });
    const [dw] = grad(sum(carry[0]!), [w]);
    const fed = new Map([[w, hostTensor('float32', [2], [1, 1])]]);
    expect(toNumbers((await engine.evaluate([dw!], fed))[0]!)).toEqual([12, 12]);
  });

  test('results that the loss does not use cost their gradient nothing', async () => {
    const engine = await testEngine();
    const { ys } = scan(([s], [x]) => ({ carry: [mul(s!, x!)], ys: [s!, mul(x!, w)] }), {
      init: [w],
      xs: [xs],
    });
    const [dx, dw] = grad(sum(ys[1]!), [xs, w]);
    const got = await engine.evaluate(
      [dx!, dw!],
      new Map([...feeds, [w, hostTensor('float32', [2], [10, 20])]]),
    );
    expect(toNumbers(got[0]!)).toEqual([10, 20, 10, 20, 10, 20, 10, 20]);
    expect(toNumbers(got[1]!)).toEqual([16, 20]);
  });

  test('no step at all returns the carry and empty results', async () => {
    const none = input('none', 'float32', [0, 2]);
    const { carry, ys } = scan(([s], [x]) => ({ carry: [add(s!, x!)], ys: [x!] }), {
      init: [w],
      xs: [none],
    });
    expect(carry).toEqual([w]);
    expect(ys[0]!.shape).toEqual([0, 2]);
  });

  test('no gradient for integers, whatever carries them', () => {
    const count = constant([0], 'int32', []);
    const { carry } = scan(([n, s], [x]) => ({ carry: [add(n!, 1), add(s!, x!)] }), {
      init: [count, w],
      xs: [xs],
    });
    const [dx] = vjp([carry[1]!], [w], [xs]);
    expect(dx!.shape).toEqual([4, 2]);
  });

  test('mistakes are named', () => {
    const id = ([s]: readonly Tensor[]) => ({ carry: [s!] });
    expect(() => scan(id, { init: [w] })).toThrow(/number of steps/);
    expect(() => scan(id, { init: [w], xs: [xs, input('z', 'float32', [3])] })).toThrow(/4 steps/);
    expect(() => scan(id, { init: [w], xs: [input('s', 'float32', [])] })).toThrow(/leading axis/);
    expect(() => scan(([s]) => ({ carry: [cast(s!, 'int32')] }), { init: [w], length: 2 })).toThrow(
      /float32\[2\].*int32\[2\]/,
    );
    expect(() => scan(() => ({ carry: [] }), { init: [w], length: 2 })).toThrow(/none/);
  });
});
