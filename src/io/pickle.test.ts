import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { golden } from '../../test/support/weights.js';
import { WeightsError } from '../errors.js';
import { type PickleHost, Tuple, unpickle } from './pickle.js';
import { PickleTruncated } from './pickle-bytes.js';
import { plainHost } from './torch-objects.js';

const from64 = (text: string) => Uint8Array.from(Buffer.from(text, 'base64'));
const file = JSON.parse(readFileSync(golden('torch/pickles.json'), 'utf8'));
const read = (bytes: Uint8Array, host: PickleHost = plainHost) => unpickle(bytes, host).value;

/** Opcodes by hand: text stands for its bytes. */
const code = (...parts: (string | number[])[]) =>
  Uint8Array.from(parts.flatMap((p) => (typeof p === 'string' ? [...Buffer.from(p)] : p)));

/** Maps as objects, so that they compare with JSON. */
function plain(value: unknown): unknown {
  if (value instanceof Map) {
    return Object.fromEntries([...value].map(([k, v]) => [String(k), plain(v)]));
  }
  return Array.isArray(value) ? Array.from(value, plain) : value;
}

describe('what Python pickled', () => {
  test.each(['2', '3', '4', '5'])('protocol %s: plain values', (protocol) => {
    const bytes = from64(file.pickles[protocol]);
    const { value, end } = unpickle(bytes, plainHost);
    expect(plain(value)).toEqual(file.value);
    expect(end).toBe(bytes.length);
    const dict = value as Map<string, unknown>;
    expect(dict.get('again')).toBe(dict.get('numbers'));
    expect((dict.get('tuples') as unknown[]).every((t) => t instanceof Tuple)).toBe(true);
  });

  test('numbers beyond 2^53, bytes and sets', () => {
    expect(read(from64(file.bigPickle))).toBe(2n ** 70n);
    expect(plain(read(from64(file.sets)))).toEqual([new Set([1, 2]), new Set(['a'])]);
    const blobs = read(code([0x80, 5], ']', '(C', [2, 0, 255], 'C', [1, 97], 'e.')) as Uint8Array[];
    expect(blobs.map((b) => [...b])).toEqual([[0, 255], [97]]);
  });

  test('text of Python 2', () => {
    expect(read(code([0x80, 2], 'U', [2, 0x6b, 0xe4], '.'))).toBe('kä');
    expect(read(code([0x80, 2], 'T', [1, 0, 0, 0], 'k.'))).toBe('k');
  });

  test('a pickle behind another is found', () => {
    const twice = code([0x80, 2], 'K', [7], '.', [0x80, 2], 'K', [8], '.');
    const { end } = unpickle(twice, plainHost);
    expect(unpickle(twice, plainHost, end)).toEqual({ value: 8, end: twice.length });
  });
});

describe('refused', () => {
  test.each([
    ['a system call', code([0x80, 2], 'cposix\nsystem\n'), 'posix.system'],
    [
      'eval, by protocol 4',
      code([0x80, 4, 0x8c, 8], 'builtins', [0x8c, 4], 'eval', [0x93]),
      'builtins.eval',
    ],
    [
      'a name that hides in text',
      code([0x80, 2], 'ctorch._utils\n_rebuild_tensor_v2 \n'),
      'torch._utils._rebuild_tensor_v2 ',
    ],
    ['a member of Object', code([0x80, 2], 'ctorch\nconstructor\n'), 'torch.constructor'],
  ])('%s is named', (_, bytes, name) => {
    expect(() => read(bytes)).toThrow(
      expect.objectContaining({ code: 'pickle-global', data: { global: name } }),
    );
    expect(() => read(bytes)).toThrow(`'${name}'`);
  });

  test.each([
    ['a text protocol', from64(file.textProtocol), /opcode 0x70.*protocol 2/],
    ['a newer protocol', code([0x80, 9], 'N.'), /protocol 9/],
    ['a call of a list', code([0x80, 2], '])R.'), /not a known type/],
    ['arguments that are no tuple', code([0x80, 2], 'ccollections\nOrderedDict\n]R.'), /arguments/],
    ['state for a list', code([0x80, 2], ']}b.'), /state/],
    ['an empty stack', code([0x80, 2], '.'), /empty stack/],
    ['a missing mark', code([0x80, 2], ']e.'), /mark/],
    ['left over values', code([0x80, 2], 'NN.'), /left over/],
    ['an open mark', code([0x80, 2], 'N(N.'), /left over/],
    ['an unknown memory', code([0x80, 2], 'h', [9], '.'), /recalled/],
    ['half a pair', code([0x80, 2], '}(Nu.'), /dictionary/],
    ['appending to a tuple', code([0x80, 2], ')Na.'), /list/],
    ['text that is not UTF-8', code([0x80, 2], 'X', [1, 0, 0, 0, 0xff], '.'), /UTF-8/],
    ['a number of a megabyte', code([0x80, 2, 0x8b, 0, 0, 16, 0]), /number of 1048576 bytes/],
    ['an object from outside', code([0x80, 2], 'NQ.'), /storage/],
    ['an extension', code([0x80, 2, 0x82, 1], '.'), /opcode 0x82/],
  ])('%s', (_, bytes, message) => {
    expect(() => read(bytes)).toThrow(WeightsError);
    expect(() => read(bytes)).toThrow(message);
  });

  test.each([
    ['of text', code([0x80, 4, 0x8d, 255, 255, 255, 255, 255, 255, 31, 0])],
    ['of bytes', code([0x80, 4, 0x8e, 255, 255, 255, 255, 0, 0, 0, 0])],
    ['without end', code([0x80, 2], 'N')],
    ['without a line', code([0x80, 2], 'cposix')],
  ])('more than there is, %s, before anything is allocated', (_, bytes) => {
    expect(() => read(bytes)).toThrow(PickleTruncated);
  });

  test('a small pickle that copies a long list again and again', () => {
    const list = code([0x80, 2], ']q', [0], '(', Array(20_000).fill(0x4e), 'e0');
    const copy = code('cbuiltins\nset\nq', [1], '0');
    const again = code('h', [1], 'h', [0], [0x85], 'R0');
    const bytes = Buffer.concat([list, copy, ...Array(1000).fill(again), Buffer.from('N.')]);
    expect(() => read(bytes)).toThrow(/steps/);
    // A tenth of it is no attack.
    expect(read(Buffer.concat([list, copy, ...Array(100).fill(again), Buffer.from('N.')]))).toBe(
      null,
    );
  });
});

/** A value and its pickle by protocol 2, written here as a second opinion on the format. */
const pickled: fc.Arbitrary<{ value: unknown; bytes: number[] }> = fc.letrec((tie) => ({
  any: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom(
      { value: null, bytes: [0x4e] },
      { value: true, bytes: [0x88] },
      { value: false, bytes: [0x89] },
    ),
    fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }).map((value) => {
      const b = Buffer.alloc(4);
      b.writeInt32LE(value);
      return { value, bytes: [0x4a, ...b] };
    }),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map((big) => {
      const b = Buffer.alloc(8);
      b.writeBigInt64LE(big);
      const small = big >= -(2n ** 53n) + 1n && big <= 2n ** 53n - 1n;
      return { value: small ? Number(big) : big, bytes: [0x8a, 8, ...b] };
    }),
    fc.double().map((value) => {
      const b = Buffer.alloc(8);
      b.writeDoubleBE(value);
      return { value, bytes: [0x47, ...b] };
    }),
    fc.string({ unit: 'grapheme' }).map((value) => {
      const b = Buffer.from(value);
      const n = Buffer.alloc(4);
      n.writeUInt32LE(b.length);
      return { value: b.toString(), bytes: [0x58, ...n, ...b] };
    }),
    fc
      .array(tie('any') as fc.Arbitrary<{ value: unknown; bytes: number[] }>, { maxLength: 4 })
      .map((items) => ({
        value: items.map((i) => i.value),
        bytes: [0x5d, 0x28, ...items.flatMap((i) => i.bytes), 0x65],
      })),
  ),
})).any as fc.Arbitrary<{ value: unknown; bytes: number[] }>;

test('any value comes back', () => {
  fc.assert(
    fc.property(pickled, ({ value, bytes }) => {
      expect(read(Uint8Array.from([0x80, 2, ...bytes, 0x2e]))).toEqual(value);
    }),
  );
});

test('whatever the bytes, a value or a WeightsError', () => {
  const good = from64(file.pickles['4']);
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { maxLength: 6 }),
      fc.nat(good.length),
      (edits, cut) => {
        const bytes = good.slice(0, cut);
        for (const [at, value] of edits) if (at < bytes.length) bytes[at] = value;
        try {
          read(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(WeightsError);
        }
      },
    ),
    { numRuns: 2000 },
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      try {
        read(bytes);
      } catch (error) {
        expect(error).toBeInstanceOf(WeightsError);
      }
    }),
    { numRuns: 2000 },
  );
});
