/**
 * Networks as PyTorch exports them, over opsets from 9 on: the imported graph gives PyTorch's values
 * and PyTorch's gradients. scripts/golden/onnx_models.py makes the files.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { expectClose } from '../../test/support/compare.js';
import { testEngine } from '../../test/support/engine.js';
import { vjp } from '../autodiff/index.js';
import {
  constantOf,
  type DType,
  type HostTensor,
  hostTensor,
  type Tensor,
  toNumbers,
} from '../graph/index.js';
import { encode } from '../onnx/index.js';
import { importOnnx } from './import.js';

interface Stored {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly data: readonly number[];
}

interface Golden {
  readonly inputs: Readonly<Record<string, Stored>>;
  readonly output: Stored;
  readonly dy: Stored;
  readonly inputGrads: readonly Stored[];
  readonly parameterGrads: Readonly<Record<string, Stored>>;
}

const folder = new URL('../../test/golden/onnx/', import.meta.url);
const names = readdirSync(folder)
  .filter((f) => f.endsWith('.onnx'))
  .map((f) => f.slice(0, -5));

const host = ({ dtype, shape, data }: Stored) => hostTensor(dtype, shape, data);

test('there are exported networks of several opsets', () => {
  expect(names.length).toBeGreaterThanOrEqual(9);
});

describe.each(names)('%s', (name) => {
  const golden: Golden = JSON.parse(readFileSync(new URL(`${name}.json`, folder), 'utf8'));
  const bytes = readFileSync(new URL(`${name}.onnx`, folder));
  const sizes = Object.fromEntries(
    Object.entries(golden.inputs).map(([k, v]) => [k, v.shape] as const),
  );

  test('has the values of PyTorch, with all weights constant', async () => {
    const engine = await testEngine();
    const net = await importOnnx(engine, bytes, { inputs: sizes });
    expect(net.opaque).toEqual({});
    const feeds = new Map<Tensor, HostTensor>();
    for (const [k, t] of Object.entries(net.inputs)) feeds.set(t, host(golden.inputs[k]!));
    const [y] = await engine.evaluate([net.outputs.y!], feeds);
    expectClose('y', y!, golden.output, { rtol: 1e-4, atol: 1e-5 });
  });

  test('has the gradients of PyTorch, for inputs and for every parameter', async () => {
    const engine = await testEngine();
    const net = await importOnnx(engine, bytes, { inputs: sizes, parameters: true });
    const feeds = new Map<Tensor, HostTensor>();
    for (const [k, t] of Object.entries(net.inputs)) feeds.set(t, host(golden.inputs[k]!));
    for (const { tensor, value } of Object.values(net.parameters)) feeds.set(tensor, value);
    // The exporter packs the weights of recurrent layers and transposes others under new names.
    const direct = Object.keys(golden.parameterGrads).filter((k) => net.parameters[k]);
    const floats = Object.keys(golden.inputs).filter((k) => golden.inputs[k]!.dtype === 'float32');
    const wrt = [
      ...floats.map((k) => net.inputs[k]!),
      ...direct.map((k) => net.parameters[k]!.tensor),
    ];
    expect(wrt.length).toBeGreaterThan(0);
    const got = await engine.evaluate(
      vjp([net.outputs.y!], [constantOf(host(golden.dy))], wrt),
      feeds,
    );
    const want = [...golden.inputGrads, ...direct.map((k) => golden.parameterGrads[k]!)];
    for (const [i, w] of want.entries()) {
      expectClose([...floats, ...direct][i]!, got[i]!, w, { rtol: 1e-3, atol: 1e-5 });
    }
  });

  test('comes back from its own encoding, backward pass included', async () => {
    const engine = await testEngine();
    const net = await importOnnx(engine, bytes, { inputs: sizes, parameters: true });
    const parameters = Object.entries(net.parameters);
    const grads = vjp(
      [net.outputs.y!],
      [constantOf(host(golden.dy))],
      parameters.map(([, p]) => p.tensor),
    );
    const outputs = Object.fromEntries(grads.map((g, i) => [`grad.${i}`, g] as const));
    const encoded = encode({ outputs, keepNames: true });
    const data = new Map(encoded.external.map((e) => [e.path, e.data]));
    const back = await importOnnx(engine, encoded.bytes, {
      external: (path, offset, length) => data.get(path)!.subarray(offset, offset + length),
    });
    const values = new Map<string, HostTensor>(parameters.map(([k, p]) => [k, p.value]));
    for (const [k, v] of Object.entries(golden.inputs)) values.set(k, host(v));
    const feeds = (inputs: Readonly<Record<string, Tensor>>) =>
      new Map(Object.entries(inputs).map(([k, t]) => [t, values.get(k)!] as const));
    const all = { ...net.inputs };
    for (const [k, p] of parameters) all[k] = p.tensor;
    const want = await engine.evaluate(grads, feeds(all));
    const got = await engine.evaluate(Object.values(back.outputs), feeds(back.inputs));
    expect(got.length).toBe(want.length);
    for (const [i, w] of want.entries()) {
      // Other nodes may be fused, so sums may be taken in another order.
      const { shape } = w;
      expectClose(
        parameters[i]![0],
        got[i]!,
        { shape, data: toNumbers(w) },
        { rtol: 1e-4, atol: 1e-6 },
      );
    }
  });
});
