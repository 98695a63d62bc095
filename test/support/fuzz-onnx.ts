/**
 * Damaged and hostile ONNX files, made from valid ones. A case is a short list of numbers, so that
 * fast-check can shrink what it finds.
 */
import { readFileSync } from 'node:fs';
import { type DescMessage, fromBinary, type Message, toBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { GraftError } from '../../src/errors.js';
import { importGraph, type OnnxEvaluator } from '../../src/onnx/index.js';
import { type Model, ModelSchema } from '../../src/onnx/proto/onnx_pb.js';
import { assorted, bytes, nested, shapeArithmetic, tinyCnn } from './onnx-models.js';

const exported = (name: string) =>
  Uint8Array.from(readFileSync(new URL(`../golden/onnx/${name}.onnx`, import.meta.url)));

/** Models made by hand, and two as PyTorch exports them. */
const bases = [
  ...[tinyCnn, shapeArithmetic, nested, assorted].map((make) => bytes(make())),
  exported('decoder11'),
  exported('recurrent9'),
];

/** Sizes to give where a file leaves them open, so that an import gets past its inputs. */
const options = {
  dims: { batch: 1, n: 2, c: 3 },
  // A reader that gives as much as is asked for would allocate it: there are no files beside these.
  external: () => new Uint8Array(16),
};

/** One change: a kind, where, and what. */
type Change = readonly [kind: number, where: number, what: number];

/** A case: which valid file, and what is done to it, structure first and bytes last. */
export interface FuzzCase {
  readonly base: number;
  readonly structure: readonly Change[];
  readonly bytes: readonly Change[];
}

const change = fc.tuple(fc.nat(), fc.nat(), fc.nat());

export const fuzzCase: fc.Arbitrary<FuzzCase> = fc.record({
  base: fc.nat({ max: bases.length - 1 }),
  structure: fc.array(change, { maxLength: 3 }),
  // Damaged bytes mostly end at the wire format; what lies behind it needs more of the cases.
  bytes: fc.oneof(
    { weight: 3, arbitrary: fc.constant([]) },
    { weight: 2, arbitrary: fc.array(change, { minLength: 1, maxLength: 2 }) },
  ),
});

const NUMBERS = [
  0n,
  1n,
  -1n,
  2n,
  7n,
  255n,
  2n ** 31n,
  2n ** 32n,
  2n ** 40n,
  2n ** 62n,
  2n ** 63n - 1n,
  -(2n ** 63n),
];
const FLOATS = [0, -0, 1, -1, 1e-45, 3.4e38, Number.POSITIVE_INFINITY, Number.NaN];
const OPS = [
  'Add',
  'Reshape',
  'Slice',
  'Concat',
  'Gather',
  'Pad',
  'Tile',
  'Expand',
  'Range',
  'ConstantOfShape',
  'Split',
  'Transpose',
  'Conv',
  'ConvTranspose',
  'MaxPool',
  'Gemm',
  'MatMul',
  'Resize',
  'OneHot',
  'TopK',
  'CumSum',
  'EyeLike',
  'Trilu',
  'DepthToSpace',
  'GatherND',
  'ScatterND',
  'Einsum',
  'Loop',
  'If',
  'Scan',
  'SequenceAt',
  'SplitToSequence',
  'LSTM',
  'QuantizeLinear',
  'NonZero',
  'Unique',
  'Compress',
  'DFT',
  'STFT',
  'HannWindow',
  'LRN',
  'GroupNormalization',
  'LayerNormalization',
  'BatchNormalization',
  'Softmax',
  'ReduceSum',
  'ArgMax',
  'Cast',
  'Squeeze',
  'Unsqueeze',
  'Flatten',
  'AffineGrid',
  'Col2Im',
  'constructor',
  '__proto__',
  '',
];
const ATTRIBUTES = [
  'axis',
  'axes',
  'perm',
  'pads',
  'kernel_shape',
  'strides',
  'dilations',
  'group',
  'size',
  'to',
  'mode',
  'blocksize',
  'k',
  'num_groups',
  'num_scan_inputs',
  'equation',
  'value',
  'keepdims',
  '__proto__',
];

/** All places of a decoded file where something can be changed. */
interface Slot {
  get(): unknown;
  set(value: unknown): void;
  readonly field: string;
  readonly list: unknown[] | null;
  readonly index: number;
}

function slots(message: Message, desc: DescMessage, out: Slot[]): Slot[] {
  const record = message as unknown as Record<string, unknown>;
  const visit = (value: unknown, child: DescMessage | undefined, slot: Slot) => {
    out.push(slot);
    if (child && value) slots(value as Message, child, out);
  };
  for (const field of desc.fields) {
    if (field.oneof) {
      const group = record[field.oneof.localName] as { case?: string; value?: unknown };
      if (group.case !== field.localName) continue;
      visit(group.value, field.message, {
        field: field.localName,
        list: null,
        index: 0,
        get: () => group.value,
        set: (v) => {
          group.value = v;
        },
      });
    } else if (field.fieldKind === 'list') {
      const list = record[field.localName] as unknown[];
      for (const [index, value] of list.entries()) {
        visit(value, field.message, {
          field: field.localName,
          list,
          index,
          get: () => list[index],
          set: (v) => {
            list[index] = v;
          },
        });
      }
    } else {
      visit(record[field.localName], field.message, {
        field: field.localName,
        list: null,
        index: 0,
        get: () => record[field.localName],
        set: (v) => {
          record[field.localName] = v;
        },
      });
    }
  }
  return out;
}

function pick<T>(list: readonly T[], n: number): T {
  return list[n % list.length]!;
}

/** Changes one place of a decoded file to something of the same kind, but hostile. */
function restructure(model: Model, [kind, where, what]: Change): void {
  const all = slots(model, ModelSchema, []);
  const slot = pick(all, where);
  const value = slot.get();
  switch (kind % 4) {
    case 0: {
      // Lists: repeat an element, drop it, or put another in its place.
      if (!slot.list) break;
      if (what % 3 === 0) slot.list.splice(slot.index, 1);
      else if (what % 3 === 1) slot.list.push(slot.list[slot.index]);
      else slot.list[slot.index] = pick(slot.list, what);
      return;
    }
    case 1: {
      // A message of the same type from elsewhere: bodies in bodies, types in types.
      const type = (value as Message | undefined)?.$typeName;
      const others = all.map((s) => s.get()).filter((v) => (v as Message)?.$typeName === type);
      if (type && others.length > 1) {
        slot.set(structuredClone(pick(others, what)));
        return;
      }
      break;
    }
    default:
  }
  if (typeof value === 'bigint') slot.set(pick(NUMBERS, what));
  else if (typeof value === 'number') slot.set(slot.field === 'f' ? pick(FLOATS, what) : what % 40);
  else if (value instanceof Uint8Array) slot.set(value.subarray(0, what % (value.length + 1)));
  else if (typeof value === 'string') {
    const names = all.map((s) => s.get()).filter((v) => typeof v === 'string') as string[];
    const choice = [OPS, ATTRIBUTES, names, names][kind % 4]!;
    slot.set(pick(slot.field === 'opType' ? OPS : choice, what));
  }
}

function damage(source: Uint8Array, [kind, where, what]: Change): Uint8Array {
  if (source.length === 0) return source;
  const at = where % source.length;
  const out = Uint8Array.from(source);
  switch (kind % 6) {
    case 0:
      out[at]! ^= 1 << (what % 8);
      return out;
    case 1:
      return out.subarray(0, at);
    case 2: {
      // A piece of another file in place of a piece of this one.
      const other = pick(bases, what);
      const from = what % other.length;
      out.set(other.subarray(from, from + Math.min(40, source.length - at)), at);
      return out;
    }
    case 3:
      // A length of four gigabytes, or of the largest number there is.
      out.set([0xff, 0xff, 0xff, 0xff, what % 2 ? 0x0f : 0xff].slice(0, source.length - at), at);
      return out;
    case 4:
      return Uint8Array.from([...out.subarray(0, at), what % 256, ...out.subarray(at)]);
    default:
      return Uint8Array.from([
        ...out.subarray(0, at),
        ...out.subarray(Math.min(at + 1 + (what % 30), out.length)),
      ]);
  }
}

/** The bytes of a case. */
export function fuzzBytes({ base, structure, bytes: changes }: FuzzCase): Uint8Array {
  let source = bases[base]!;
  if (structure.length > 0) {
    const model = fromBinary(ModelSchema, source);
    for (const c of structure) restructure(model, c);
    try {
      source = toBinary(ModelSchema, model);
    } catch {
      // A change that cannot be written is no file; the bytes may still be damaged below.
    }
  }
  return changes.reduce(damage, source);
}

/** What came of an import. */
export type FuzzOutcome = 'imported' | string;

/**
 * Imports a case.
 * @returns `imported` or the code of the error
 * @throws anything that is not a GraftError: that is what is looked for
 */
export async function tryImport(
  source: Uint8Array,
  evaluator?: OnnxEvaluator,
): Promise<FuzzOutcome> {
  try {
    await importGraph(source, { ...options, ...(evaluator ? { evaluator } : {}) });
    return 'imported';
  } catch (error) {
    if (error instanceof GraftError) return error.code;
    throw error;
  }
}
