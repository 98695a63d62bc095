/**
 * Walks a serialized model without building anything, so that a hostile file is turned away before
 * it costs memory: lengths that leave their message, nesting without end, and runs of tiny messages
 * (two bytes on disk, hundreds in memory).
 */
import { type DescField, type DescMessage, ScalarType } from '@bufbuild/protobuf';
import { WeightsError } from '../errors.js';

/** Deepest nesting of messages. A graph in an attribute costs three levels; real files stay below 20. */
const MAX_DEPTH = 64;
/** Most messages in one file; the largest models in use have some hundred thousand. */
const MAX_MESSAGES = 4_000_000;
/** Most numbers outside raw data: each takes up to 32 bytes once decoded, and one in the file. */
const MAX_NUMBERS = 32_000_000;

interface Level {
  readonly fields: ReadonlyMap<number, DescField>;
  readonly end: number;
}

const tables = new WeakMap<DescMessage, ReadonlyMap<number, DescField>>();

function fieldsOf(desc: DescMessage): ReadonlyMap<number, DescField> {
  let table = tables.get(desc);
  if (!table) {
    table = new Map(desc.fields.map((f) => [f.number, f]));
    tables.set(desc, table);
  }
  return table;
}

function bad(at: number, what: string): WeightsError {
  return new WeightsError(
    `Not a valid ONNX file: ${what} at byte ${at}. The file is damaged or not ONNX at all; fetch or export it again.`,
    { offset: at },
    { code: 'onnx-format' },
  );
}

/**
 * Checks that `bytes` can be decoded as a message of type `desc` within bounds.
 * @throws WeightsError with code `onnx-format`
 */
export function checkWire(bytes: Uint8Array, desc: DescMessage): void {
  let at = 0;
  let messages = 1;
  let numbers = 0;
  const stack: Level[] = [{ fields: fieldsOf(desc), end: bytes.length }];

  /** Low 32 bits are enough: a length above them leaves any file. Returns -1 when it overflows. */
  const varint = (end: number): number => {
    let value = 0;
    for (let i = 0; i < 10; i++) {
      if (at >= end) throw bad(at, 'a number runs past the end of its message');
      const byte = bytes[at++]!;
      if (i < 5) value += (byte & 0x7f) * 2 ** (7 * i);
      else if (byte & 0x7f) value = Number.POSITIVE_INFINITY;
      if (byte < 0x80) return value;
    }
    throw bad(at, 'a number of more than ten bytes');
  };
  const count = (n: number) => {
    numbers += n;
    if (numbers > MAX_NUMBERS) {
      throw bad(at, `more than ${MAX_NUMBERS} numbers outside raw_data`);
    }
  };

  while (stack.length > 0) {
    const { fields, end } = stack[stack.length - 1]!;
    if (at === end) {
      stack.pop();
      continue;
    }
    const start = at;
    const tag = varint(end);
    const number = Math.floor(tag / 8);
    const wire = tag % 8;
    if (number < 1 || number > 0x1fffffff) throw bad(start, 'a field with an impossible number');
    const field = fields.get(number);
    if (wire === 0) {
      varint(end);
      if (field?.fieldKind === 'list') count(1);
    } else if (wire === 1 || wire === 5) {
      at += wire === 1 ? 8 : 4;
      if (at > end) throw bad(start, 'a number runs past the end of its message');
      if (field?.fieldKind === 'list') count(1);
    } else if (wire === 2) {
      const length = varint(end);
      if (length > end - at) {
        throw bad(start, `a field of ${length} bytes where ${end - at} are left`);
      }
      if (field?.message) {
        if (++messages > MAX_MESSAGES) throw bad(start, `more than ${MAX_MESSAGES} messages`);
        if (stack.length >= MAX_DEPTH) throw bad(start, `nesting deeper than ${MAX_DEPTH}`);
        stack.push({ fields: fieldsOf(field.message), end: at + length });
        continue;
      }
      if (field?.fieldKind === 'list') count(listLength(field, bytes, at, at + length));
      at += length;
    } else {
      throw bad(start, `wire type ${wire}, which ONNX does not use,`);
    }
  }
}

/** How many elements a length-delimited field holds once decoded. */
function listLength(field: DescField, bytes: Uint8Array, from: number, to: number): number {
  switch (field.scalar) {
    case ScalarType.BYTES:
    case ScalarType.STRING:
      return 1;
    case ScalarType.FLOAT:
      return (to - from) / 4;
    case ScalarType.DOUBLE:
      return (to - from) / 8;
    default: {
      let n = 0;
      for (let i = from; i < to; i++) if (bytes[i]! < 0x80) n++;
      return n;
    }
  }
}
