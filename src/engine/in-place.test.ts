import { describe, expect, test } from 'vitest';
import { expectClose } from '../../test/support/compare.js';
import { testEngine } from '../../test/support/engine.js';
import { constant, hostTensor, input, type Tensor } from '../graph/index.js';
import {
  add,
  matmul,
  mul,
  relu,
  reshape,
  scatterND,
  slice,
  sub,
  sum,
  transpose,
} from '../ops/index.js';
import { writableInPlace } from './in-place.js';
import { StatefulProgram, Variables } from './variables.js';

const SIZE = 4;
const start = hostTensor(
  'float32',
  [SIZE, SIZE],
  Array.from({ length: SIZE * SIZE }, (_, i) => Math.sin(i + 1)),
);
const batch = hostTensor(
  'float32',
  [SIZE, SIZE],
  Array.from({ length: SIZE * SIZE }, (_, i) => Math.cos(3 * i)),
);

/**
 * A step planted with the hazard: the new weight needs nothing but the weight, so ONNX Runtime may
 * write it first, and a long chain of products still reads the old weight afterwards.
 */
function planted() {
  const w = input('w', 'float32', [SIZE, SIZE]);
  const x = input('x', 'float32', [SIZE, SIZE]);
  const next = sub(w, mul(w, 0.5));
  let y = x;
  for (let i = 0; i < 6; i++) y = relu(matmul(y, w));
  return { w, x, next, y };
}

async function stateful(
  outputs: Record<string, Tensor>,
  updates: Map<Tensor, Tensor>,
  values: Map<Tensor, ReturnType<typeof hostTensor>>,
) {
  const engine = await testEngine();
  const variables = new Variables(engine.runtime);
  for (const [t, value] of values) await variables.create(t, value);
  const program = await StatefulProgram.compile(engine, variables, outputs, updates);
  return { engine, variables, program };
}

describe('in-place updates', () => {
  test('the hazard is real: handing the input buffer over as output spoils a later reader', async () => {
    const engine = await testEngine();
    const { w, x, next, y } = planted();
    const [truth] = await engine.evaluate(
      [y],
      new Map([
        [w, start],
        [x, batch],
      ]),
    );
    // Both orders of the outputs are tried: which node runs first is ONNX Runtime's affair.
    let spoiled = 0;
    for (const outputs of [
      { next, y },
      { y, next },
    ]) {
      const program = await engine.program(outputs);
      const buffer = await engine.runtime.upload({ ...start, data: start.data.slice() });
      const results = await program.run({ w: buffer, x: batch }, { next: buffer });
      const got = await engine.runtime.download(results.y!);
      const error = Math.max(
        ...[...got.data].map((v, i) => Math.abs(Number(v) - Number(truth!.data[i]))),
      );
      if (error > 1e-3) spoiled++;
    }
    expect(spoiled).toBeGreaterThan(0);
  });

  test('the engine is immune: the same graph gives the old value to every reader', async () => {
    const { w, x, next, y } = planted();
    const engine = await testEngine();
    const evaluated = await engine.evaluate(
      [y, next],
      new Map([
        [w, start],
        [x, batch],
      ]),
    );
    const want = evaluated.map((t) => ({ shape: t.shape, data: [...t.data].map(Number) }));
    const fetched: Record<string, Tensor>[] = [{ y }, { first: sum(y), y }];
    for (const outputs of fetched) {
      const { program, variables } = await stateful(
        outputs,
        new Map([[w, next]]),
        new Map([[w, start]]),
      );
      expect(program.updatedInPlace).toEqual([]);
      const results = await program.run({ x: batch });
      const exact = { rtol: 0, atol: 0 };
      expectClose('y', await engine.runtime.download(results.y!), want[0]!, exact);
      expectClose('w', await variables.read(w), want[1]!, exact);
    }
  });

  test('two variables that swap, and one that is a transpose of itself', async () => {
    const a = input('a', 'float32', [2, 2]);
    const b = input('b', 'float32', [2, 2]);
    const c = input('c', 'float32', [2, 2]);
    const value = (...v: number[]) => hostTensor('float32', [2, 2], v);
    const { program, variables } = await stateful(
      {},
      new Map([
        [a, b],
        [b, a],
        [c, transpose(c)],
      ]),
      new Map([
        [a, value(1, 2, 3, 4)],
        [b, value(5, 6, 7, 8)],
        [c, value(1, 2, 3, 4)],
      ]),
    );
    for (let run = 0; run < 3; run++) await program.run({});
    expect([...(await variables.read(a)).data]).toEqual([5, 6, 7, 8]);
    expect([...(await variables.read(b)).data]).toEqual([1, 2, 3, 4]);
    expect([...(await variables.read(c)).data]).toEqual([1, 3, 2, 4]);
  });

  test('what is safe is written in place: momentum and its parameter', async () => {
    const p = input('p', 'float32', [3]);
    const m = input('m', 'float32', [3]);
    const g = input('g', 'float32', [3]);
    const momentum = add(mul(m, 0.9), g);
    const updates = new Map([
      [m, momentum],
      [p, sub(p, mul(momentum, 0.1))],
    ]);
    expect(writableInPlace(updates, [], 'cpu')).toEqual(new Set([m, p]));
    // One dispatch may not bind a buffer both ways there, and `p` is read by its own writer.
    expect(writableInPlace(updates, [], 'webgpu')).toEqual(new Set([m]));
  });

  test.each([
    ['a reader that does not come before the writer', (w: Tensor) => [matmul(w, w)]],
    ['a result that is a view of the old value', (w: Tensor) => [reshape(w, [16])]],
    ['a reader behind a view', (w: Tensor) => [sum(reshape(w, [2, 8]), { axes: 0 })]],
  ])('not in place: %s', (_, others) => {
    const w = input('w', 'float32', [4, 4]);
    expect(writableInPlace(new Map([[w, mul(w, 2)]]), others(w), 'cpu')).toEqual(new Set());
  });

  test('not in place: a reader of a sum with 0, which ONNX Runtime removes', () => {
    const w = input('w', 'float32', [4, 4]);
    const same = add(w, 0);
    const next = sub(w, mul(same, 0.5));
    expect(writableInPlace(new Map([[w, next]]), [], 'cpu')).toEqual(new Set([w]));
    expect(writableInPlace(new Map([[w, next]]), [relu(same)], 'cpu')).toEqual(new Set());
  });

  test('a scatter writes over what it scatters into, and only then', async () => {
    const w = input('w', 'float32', [SIZE, SIZE]);
    const x = input('x', 'float32', [SIZE, SIZE]);
    const rows = constant([2, 0], 'int64', [2, 1]);
    const firstRows = slice(x, { starts: [0], ends: [2], axes: [0] });
    const next = scatterND(w, rows, firstRows);
    const { variables, program } = await stateful(
      { y: sum(next) },
      new Map([[w, next]]),
      new Map([[w, start]]),
    );
    expect(program.updatedInPlace).toEqual(['w']);
    const buffer = variables.buffer(w);
    const want = [...start.data];
    for (let run = 0; run < 2; run++) {
      await program.run({ x: batch });
      for (let i = 0; i < SIZE; i++) {
        want[2 * SIZE + i] = batch.data[i]!;
        want[i] = batch.data[SIZE + i]!;
      }
      expect([...(await variables.read(w)).data]).toEqual(want);
    }
    expect(variables.buffer(w)).toBe(buffer);

    const inPlace = (result: Tensor) => writableInPlace(new Map([[w, result]]), [], 'cpu').size;
    expect(inPlace(next)).toBe(1);
    // The updates are read from the memory that is written.
    expect(
      inPlace(scatterND(w, constant([0, 1, 2, 3], 'int64', [SIZE, 1]), reshape(w, [SIZE, SIZE]))),
    ).toBe(0);
    expect(inPlace(scatterND(w, constant([0, 1, 2, 3], 'int64', [SIZE, 1]), w))).toBe(0);
    // What is written into is another tensor, and the variable is read.
    expect(inPlace(scatterND(x, constant([0, 1, 2, 3], 'int64', [SIZE, 1]), w))).toBe(0);
    expect(writableInPlace(new Map([[w, next]]), [], 'webgpu').size).toBe(0);
    // Somebody reads the old value after the writer may have run.
    expect(writableInPlace(new Map([[w, next]]), [relu(w)], 'cpu').size).toBe(0);
  });
});
