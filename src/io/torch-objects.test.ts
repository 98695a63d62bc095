import { describe, expect, test } from 'vitest';
import { WeightsError } from '../errors.js';
import { Tuple, unpickle } from './pickle.js';
import { namedTensors } from './torch-names.js';
import { torchHost } from './torch-objects.js';
import { TorchStorage, TorchTensor } from './torch-tensor.js';

/** A pickle from opcodes; numbers are bytes, text its own bytes. */
const code = (...parts: (string | number | number[])[]) =>
  Uint8Array.from(
    parts.flatMap((p) =>
      typeof p === 'string' ? [...Buffer.from(p)] : typeof p === 'number' ? [p] : p,
    ),
  );
const int = (n: number): number[] => {
  const b = Buffer.alloc(8);
  b.writeBigInt64LE(BigInt(n));
  return [0x8a, 8, ...b];
};
const text = (s: string) => [0x58, s.length, 0, 0, 0, ...Buffer.from(s)];
const tuple = (...items: number[][]) => [0x28, ...items.flat(), 0x74];

/** A pickled tensor over one storage. */
function pickled(window: {
  type?: string;
  elements?: number;
  offset?: number;
  shape?: number[];
  strides?: number[];
}): Uint8Array {
  const {
    type = 'FloatStorage',
    elements = 6,
    offset = 0,
    shape = [2, 3],
    strides = [3, 1],
  } = window;
  const storage = [
    ...tuple(
      text('storage'),
      [...Buffer.from(`ctorch\n${type}\n`)],
      text('0'),
      text('cpu'),
      int(elements),
    ),
    0x51,
  ];
  return code(
    0x80,
    2,
    'ctorch._utils\n_rebuild_tensor_v2\n',
    tuple(
      storage,
      int(offset),
      tuple(...shape.map(int)),
      tuple(...strides.map(int)),
      [0x89],
      [0x4e],
    ),
    'R.',
  );
}

const read = (bytes: Uint8Array) => unpickle(bytes, torchHost(new Map())).value;

describe('a pickled tensor', () => {
  test('is a window on its storage', () => {
    const tensor = read(pickled({ offset: 1, shape: [2, 2], strides: [3, 1] })) as TorchTensor;
    expect(tensor).toMatchObject({ stored: 'float32', offset: 1, shape: [2, 2], end: 6 });
    expect(tensor.storage).toMatchObject({ key: '0', bytes: 24 });
  });

  test.each([
    ['one element too many', { shape: [7], strides: [1] }],
    ['an offset too far', { offset: 1 }],
    ['a stride too long', { strides: [4, 1] }],
    ['an offset behind an empty window', { shape: [0], strides: [1], offset: 7 }],
    ['more elements than numbers count', { shape: [2 ** 40, 2 ** 40], strides: [0, 0] }],
    ['a stride beyond all numbers', { shape: [2 ** 30, 3], strides: [2 ** 40, 1] }],
  ])('with %s reaches beyond it', (_, window) => {
    expect(() => read(pickled(window))).toThrow(/reaches beyond its storage of 24 bytes/);
  });

  test('may repeat a small storage, but not to fill the memory', () => {
    expect(read(pickled({ shape: [1000, 6], strides: [0, 1] }))).toBeInstanceOf(TorchTensor);
    expect(() => read(pickled({ shape: [2 ** 30], strides: [0] }))).toThrow(/repeats a storage/);
  });

  test.each([
    ['a negative offset', { offset: -1 }, /no storage/],
    ['a negative length', { shape: [-2, 3] }, /proper shape/],
    ['a negative stride', { strides: [-3, 1] }, /proper strides/],
    ['a stride for each axis but one', { strides: [1] }, /more or fewer strides/],
    ['seventeen axes', { shape: Array(17).fill(1), strides: Array(17).fill(1) }, /proper shape/],
    ['a storage of negative length', { elements: -1 }, /no known way/],
    ['raw bytes without a type', { type: 'UntypedStorage' }, /no element type/],
    ['a quantised type', { type: 'QInt8Storage' }, /torch\.QInt8Storage, which is not supported/],
    ['a type named like a member of Object', { type: 'constructor' }, /'torch\.constructor'/],
  ])('with %s is refused', (_, window, message) => {
    expect(() => read(pickled(window))).toThrow(WeightsError);
    expect(() => read(pickled(window))).toThrow(message);
  });

  test('cannot be over a storage that the pickle made up', () => {
    const made = [...Buffer.from('ccollections\nOrderedDict\n)R')];
    const bytes = code(
      0x80,
      2,
      'ctorch._utils\n_rebuild_tensor_v2\n',
      tuple(made, int(0), tuple(), tuple(), [0x89], [0x4e]),
      'R.',
    );
    expect(() => read(bytes)).toThrow(/no storage/);
  });

  test('of a whole module with its code is refused', () => {
    const bytes = code(
      0x80,
      2,
      tuple(text('module'), [0x4e], text('net.py'), text('import os')),
      'Q.',
    );
    expect(() => read(bytes)).toThrow(/whole module/);
  });
});

describe('names', () => {
  const tensor = () => new TorchTensor(new TorchStorage('0', 'float32', 4), 'float32', 0, [4], [1]);
  const names = (value: unknown) => [...namedTensors(value).tensors.keys()];
  const dict = (entries: Record<string, unknown>) =>
    new Map<unknown, unknown>(Object.entries(entries));

  test.each(['state_dict', 'model_state_dict', 'model'])('below %s lose that prefix', (wrapper) => {
    const value = dict({
      [wrapper]: dict({ 'module.w': tensor() }),
      optimizer: dict({ m: tensor() }),
    });
    expect(names(value)).toEqual(['module.w']);
  });

  test('lose several wrappers, and none that holds no tensors', () => {
    expect(names(dict({ model: dict({ state_dict: dict({ w: tensor() }) }) }))).toEqual(['w']);
    expect(names(dict({ model: dict({ name: 'vgg' }), w: tensor() }))).toEqual(['w']);
    expect(names(dict({ model: tensor(), other: tensor() }))).toEqual(['model', 'other']);
  });

  test('of lists and tuples are positions', () => {
    expect(names(dict({ a: [tensor(), Tuple.from([tensor()])] }))).toEqual(['a.0', 'a.1.0']);
    expect(names([tensor()])).toEqual(['0']);
    expect(names(new Map<unknown, unknown>([[3, tensor()]]))).toEqual(['3']);
  });

  test('that fall together are refused', () => {
    const value = dict({ 'a.b': tensor(), a: dict({ b: tensor() }) });
    expect(() => names(value)).toThrow(/both called 'a\.b'/);
  });

  test('under keys that are no names are refused, other values under them ignored', () => {
    expect(() => names(new Map([[null, tensor()]]))).toThrow(/neither text nor a number/);
    expect(
      names(
        new Map<unknown, unknown>([
          [null, 5],
          ['w', tensor()],
        ]),
      ),
    ).toEqual(['w']);
  });

  test('of containers that hold themselves, or each other a million times, end', () => {
    const loop: unknown[] = [];
    loop.push(loop);
    expect(() => names(loop)).toThrow(/nested beyond all measure/);
    let twice: unknown[] = [];
    for (let i = 0; i < 60; i++) twice = [twice, twice];
    expect(() => names(twice)).toThrow(/nested beyond all measure/);
    const wrapped = dict({ w: tensor() });
    wrapped.set('model', wrapped);
    expect(() => names(wrapped)).toThrow(/nested beyond all measure/);
  });

  test('of unreasonable length are refused', () => {
    expect(() => names(dict({ [`${'x'.repeat(2000)}`]: tensor() }))).toThrow(/characters/);
  });
});
