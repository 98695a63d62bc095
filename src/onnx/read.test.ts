import { describe, expect, test } from 'vitest';
import {
  bytes,
  graph,
  info,
  model,
  node,
  ramp,
  tensor,
  tinyCnn,
} from '../../test/support/onnx-models.js';
import { GraftError, WeightsError } from '../errors.js';
import { hostTensor } from '../graph/index.js';
import { importGraph, readOnnx } from './index.js';
import type { Tensor as TensorProto } from './proto/onnx_pb.js';

/** The error that reading or importing gives. */
async function faultOf(source: Uint8Array): Promise<GraftError> {
  try {
    await importGraph(source);
  } catch (error) {
    if (error instanceof GraftError) return error;
    throw error;
  }
  throw new Error('the import went through');
}

const one = { input: [info('x', 'float32', [2])], output: [info('y', 'float32', [2])] };

/** A model that adds a tensor, so that the tensor must be read. */
function adding(t: TensorProto) {
  return bytes(model({ ...one, initializer: [t], node: [node('Add', ['x', t.name], ['y'])] }));
}

describe('a valid file', () => {
  test('is read with its opset and functions', () => {
    const read = readOnnx(bytes(tinyCnn()));
    expect(read.opsets.get('')).toBe(17);
    expect(read.graph.node.map((n) => n.opType)).toContain('Conv');
  });

  test('holds weights that are views of its bytes where they are aligned', () => {
    const source = bytes(tinyCnn());
    const { graph: read } = readOnnx(source);
    expect(read.initializer[0]!.rawData.buffer).toBe(source.buffer);
  });
});

describe('a damaged file gives a WeightsError:', () => {
  const source = bytes(tinyCnn());

  test('empty, and not ONNX at all', () => {
    expect(() => readOnnx(new Uint8Array(0))).toThrow(/empty/);
    expect(() => readOnnx(new TextEncoder().encode('<html><body>404</body></html>'))).toThrow(
      WeightsError,
    );
    expect(() => readOnnx(new Uint8Array([8, 8]))).toThrow(/no graph/);
  });

  test('cut off anywhere', async () => {
    for (let n = 1; n < source.length; n += 7) {
      const cut = source.subarray(0, n);
      expect(await faultOf(cut).catch((e) => e), `after ${n} bytes`).toBeInstanceOf(GraftError);
    }
  });

  test('a length that leaves the file', () => {
    // Field 7 (the graph) with a length of 2^32 - 1, and with ten bytes of length.
    expect(() => readOnnx(new Uint8Array([0x3a, 0xff, 0xff, 0xff, 0xff, 0x0f, 0]))).toThrow(
      /4294967295 bytes where 1 are left/,
    );
    expect(() => readOnnx(new Uint8Array([0x3a, ...new Array(9).fill(0xff), 1]))).toThrow(
      WeightsError,
    );
    expect(() => readOnnx(new Uint8Array([0x3a, ...new Array(11).fill(0xff), 1]))).toThrow(
      /more than ten bytes/,
    );
  });

  test('messages nested without end', () => {
    let inner = graph({});
    for (let i = 0; i < 60; i++) {
      inner = graph({ node: [node('If', [], ['y'], { then_branch: { g: inner } })] });
    }
    expect(() => readOnnx(bytes(model({ ...inner, output: [info('y')] })))).toThrow(
      /nesting deeper/,
    );
  });

  test('millions of empty messages', () => {
    // One graph of nothing but empty nodes: two bytes each on disk, hundreds in memory.
    const count = 4_100_000;
    const body = new Uint8Array(count * 2);
    for (let i = 0; i < body.length; i += 2) body[i] = 0x0a;
    const length = [];
    for (let n = body.length; n > 0; n = Math.floor(n / 128))
      length.push((n % 128) | (n >= 128 ? 0x80 : 0));
    const file = new Uint8Array([0x3a, ...length, ...new Uint8Array(0)]);
    const whole = new Uint8Array(file.length + body.length);
    whole.set(file);
    whole.set(body, file.length);
    expect(() => readOnnx(whole)).toThrow(/more than 4000000 messages/);
  });
});

describe('a graph that makes no sense gives a WeightsError:', () => {
  test('a cycle', async () => {
    const file = model({
      ...one,
      node: [node('Add', ['x', 'b'], ['y']), node('Neg', ['y'], ['a']), node('Neg', ['a'], ['b'])],
    });
    expect((await faultOf(bytes(file))).message).toMatch(/cycle: Add.* needs Neg/);
  });

  test('a node that reads itself', async () => {
    const file = model({ ...one, node: [node('Add', ['x', 'y'], ['y'])] });
    expect((await faultOf(bytes(file))).message).toMatch(/cycle/);
  });

  test('a name made twice, by nodes or over an input', async () => {
    const twice = model({ ...one, node: [node('Neg', ['x'], ['y']), node('Abs', ['x'], ['y'])] });
    expect((await faultOf(bytes(twice))).message).toMatch(/'y' is given to two values/);
    const over = model({ ...one, node: [node('Neg', ['y'], ['x'])] });
    expect((await faultOf(bytes(over))).message).toMatch(/'x' is given to two values/);
  });

  test('a value that nothing provides', async () => {
    const file = model({ ...one, node: [node('Add', ['x', 'gone'], ['y'])] });
    expect((await faultOf(bytes(file))).message).toMatch(/reads 'gone', which no node/);
    const none = model({ ...one, node: [] });
    expect((await faultOf(bytes(none))).message).toMatch(/'y'/);
  });

  test('two inputs of one name, and no outputs', async () => {
    const two = model({ ...one, input: [info('x', 'float32', [2]), info('x', 'float32', [2])] });
    expect((await faultOf(bytes(two))).message).toMatch(/inputs are named 'x'/);
    expect((await faultOf(bytes(model({ node: [] })))).message).toMatch(/no outputs/);
  });

  test('a function that calls itself', async () => {
    const file = model(
      { ...one, node: [node('F', ['x'], ['y'], {}, { domain: 'd' })] },
      {
        domains: { d: 1 },
        functions: [
          {
            name: 'F',
            domain: 'd',
            input: ['a'],
            output: ['b'],
            node: [node('F', ['a'], ['b'], {}, { domain: 'd' })],
            opsetImport: [{ domain: 'd', version: 1n }],
          },
        ],
      },
    );
    expect((await faultOf(bytes(file))).message).toMatch(/calls itself/);
  });

  test('functions that double at each of 40 levels', async () => {
    const level = (i: number) => ({
      name: `F${i}`,
      domain: 'd',
      input: ['a'],
      output: ['c'],
      node:
        i === 0
          ? [node('Neg', ['a'], ['c'])]
          : [
              node(`F${i - 1}`, ['a'], ['b'], {}, { domain: 'd' }),
              node(`F${i - 1}`, ['b'], ['c'], {}, { domain: 'd' }),
            ],
      opsetImport: [
        { domain: '', version: 17n },
        { domain: 'd', version: 1n },
      ],
    });
    const file = model(
      { ...one, node: [node('F40', ['x'], ['y'], {}, { domain: 'd' })] },
      { domains: { d: 1 }, functions: Array.from({ length: 41 }, (_, i) => level(i)) },
    );
    expect((await faultOf(bytes(file))).message).toMatch(/grows to more than/);
  });

  test('an opset of the future', async () => {
    const file = model({ ...one, node: [node('Neg', ['x'], ['y'])] }, { opset: 999 });
    expect((await faultOf(bytes(file))).code).toBe('onnx-opset');
  });
});

describe('a tensor that does not hold what it says gives a WeightsError:', () => {
  const w = () => tensor('w', ramp(2));

  test('sizes of 2^31, 2^63 and -1 without data', async () => {
    for (const dims of [[2n ** 31n], [2n ** 62n, 2n], [-1n], [2n ** 20n, 2n ** 19n]]) {
      const error = await faultOf(adding({ ...w(), dims }));
      expect(error, String(dims)).toBeInstanceOf(WeightsError);
    }
  });

  test('too few and too many bytes or values', async () => {
    expect((await faultOf(adding({ ...w(), rawData: new Uint8Array(7) }))).message).toMatch(
      /carries 7 bytes/,
    );
    const values = { ...w(), rawData: new Uint8Array(0), floatData: [1, 2, 3] };
    expect((await faultOf(adding(values))).message).toMatch(/carries 3 values/);
  });

  test('an element type that Graft does not have', async () => {
    expect((await faultOf(adding({ ...w(), dataType: 8 }))).message).toMatch(/element type string/);
    expect((await faultOf(adding({ ...w(), dataType: 16 }))).message).toMatch(/bfloat16/);
    expect((await faultOf(adding({ ...w(), dataType: 1234 }))).message).toMatch(/number 1234/);
  });

  test('a shape that only an operator makes huge', async () => {
    const file = model({
      ...one,
      initializer: [tensor('big', hostTensor('int64', [2], [2 ** 40, 2 ** 40]))],
      node: [node('ConstantOfShape', ['big'], ['huge']), node('Add', ['x', 'huge'], ['y'])],
    });
    expect((await faultOf(bytes(file))).message).toMatch(/2\^40/);
  });
});

describe('external data:', () => {
  const outside = (location: string, more: { key: string; value: string }[] = []) => {
    const w = tensor('w', ramp(2));
    return adding({
      ...w,
      rawData: new Uint8Array(0),
      dataLocation: 1,
      externalData: [{ key: 'location', value: location }, ...more].map((e) => ({
        $typeName: 'graft.onnx.StringStringEntry',
        ...e,
      })),
    });
  };

  test('paths that leave the folder are refused before anything is read', async () => {
    const reads: string[] = [];
    for (const path of [
      '../w.bin',
      '/etc/passwd',
      'a/../../w.bin',
      'C:\\w.bin',
      '..\\w.bin',
      'file:w',
      '',
      '.',
      'a\0b',
    ]) {
      const external = (p: string) => {
        reads.push(p);
        return new Uint8Array(8);
      };
      await expect(importGraph(outside(path), { external }), path).rejects.toThrow(
        /not a plain path/,
      );
    }
    expect(reads).toEqual([]);
  });

  test('no reader, a short file, and a length that does not fit', async () => {
    expect((await faultOf(outside('w.bin'))).code).toBe('onnx-external');
    const short = importGraph(outside('w.bin'), { external: () => new Uint8Array(4) });
    await expect(short).rejects.toThrow(/carries 4 bytes/);
    expect((await faultOf(outside('w.bin', [{ key: 'length', value: '9' }]))).code).toBe(
      'onnx-data',
    );
    expect((await faultOf(outside('w.bin', [{ key: 'offset', value: '-8' }]))).code).toBe(
      'onnx-data',
    );
    expect((await faultOf(outside('w.bin', [{ key: 'offset', value: '1e99' }]))).code).toBe(
      'onnx-data',
    );
  });

  test('is read from where it says', async () => {
    const seen: unknown[] = [];
    const external = (path: string, offset: number, length: number) => {
      seen.push([path, offset, length]);
      return new Uint8Array(length);
    };
    await importGraph(outside('sub/./w.bin', [{ key: 'offset', value: '4096' }]), { external });
    expect(seen).toEqual([['sub/w.bin', 4096, 8]]);
  });
});
