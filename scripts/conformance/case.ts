/** One backend node test of ONNX: import it, run it, compare. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fromBinary, toBinary } from '@bufbuild/protobuf';
import * as ort from 'onnxruntime-node';
import { type Engine, importOnnx } from '../../src/engine/index.js';
import { GraftError } from '../../src/errors.js';
import {
  DTYPES,
  type DType,
  formatType,
  type HostTensor,
  type Tensor,
  toNumbers,
} from '../../src/graph/index.js';
import {
  type ImportedGraph,
  type ImportOptions,
  knownOps,
  type OnnxModel,
  readOnnx,
  readTensor,
} from '../../src/onnx/index.js';
import { ModelSchema } from '../../src/onnx/proto/onnx_pb.js';

interface StoredValue {
  readonly kind: 'tensor' | 'sequence' | 'optional' | 'nested';
  readonly files: readonly string[];
}

interface StoredCase {
  readonly name: string;
  readonly rtol: number;
  readonly atol: number;
  readonly inputs: readonly StoredValue[];
  readonly outputs: readonly StoredValue[];
}

/** Why a case was not counted as passed or failed. */
export type Skip =
  | 'element type that Graft does not have'
  | 'no rule for an operator'
  | 'strings'
  | 'shape depends on data'
  | 'random values cannot be compared'
  | 'ONNX Runtime fails on the original model'
  | 'ONNX Runtime differs from the expected values on the original model';

/** What came of a case. */
export interface Outcome {
  readonly name: string;
  /** Operators of the model. */
  readonly ops: readonly string[];
  /** True when Graft has a rule for every operator of the model. */
  readonly known: boolean;
  readonly status: 'passed' | 'failed' | 'skipped';
  readonly skip?: Skip;
  readonly detail?: string;
}

class Skipped extends Error {
  readonly why: Skip;

  constructor(why: Skip, detail = '') {
    super(detail);
    this.why = why;
  }
}

/** Operators whose results are drawn at random, so that no two runs agree. */
const RANDOM = new Set([
  'Bernoulli',
  'Multinomial',
  'RandomNormal',
  'RandomNormalLike',
  'RandomUniform',
  'RandomUniformLike',
]);

const rules = new Set(knownOps());

function opsOf(model: OnnxModel): Set<string> {
  const found = new Set<string>();
  const local = new Set([...model.functions.values()].map((f) => f.name));
  const walk = (nodes: OnnxModel['graph']['node']) => {
    for (const n of nodes) {
      if (!local.has(n.opType)) found.add(n.domain ? `${n.domain}.${n.opType}` : n.opType);
      for (const a of n.attribute) if (a.g) walk(a.g.node);
    }
  };
  walk(model.graph.node);
  for (const f of model.functions.values()) walk(f.node);
  return found;
}

function load(folder: string, value: StoredValue): HostTensor[] {
  if (value.kind === 'nested') throw new Skipped('strings', 'a nested sequence');
  return value.files.map((file) => {
    try {
      return readTensor(readFileSync(join(folder, file)));
    } catch (error) {
      if (error instanceof GraftError && error.code === 'onnx-dtype') {
        throw new Skipped('element type that Graft does not have', error.message);
      }
      throw error;
    }
  });
}

interface Fed {
  readonly options: {
    inputs: Record<string, number[] | number[][]>;
    constants: Record<string, HostTensor>;
  };
  readonly values: Map<string, HostTensor>;
}

function feed(folder: string, model: OnnxModel, stored: StoredCase): Fed {
  const initializers = new Set(model.graph.initializer.map((t) => t.name));
  const names = model.graph.input.map((v) => v.name).filter((n) => !initializers.has(n));
  const inputs: Record<string, number[] | number[][]> = {};
  const values = new Map<string, HostTensor>();
  for (const [i, value] of stored.inputs.entries()) {
    const name = names[i]!;
    const tensors = load(folder, value);
    if (value.kind === 'tensor') {
      inputs[name] = [...tensors[0]!.shape];
      values.set(name, tensors[0]!);
    } else if (value.kind === 'sequence') {
      inputs[name] = tensors.map((t) => [...t.shape]);
      for (const [j, t] of tensors.entries()) values.set(`${name}.${j}`, t);
    }
  }
  return { options: { inputs, constants: {} }, values };
}

/** Imports; inputs that decide shapes are fixed, which is what the importer asks for. */
async function importCase(engine: Engine, model: OnnxModel, fed: Fed): Promise<ImportedGraph> {
  for (let round = 0; ; round++) {
    try {
      return await importOnnx(engine, model, fed.options as ImportOptions);
    } catch (error) {
      if (!(error instanceof GraftError)) throw error;
      if (error.code === 'onnx-dynamic' && round < 16) {
        const wanted = error.data.inputs as readonly string[];
        for (const name of wanted) fed.options.constants[name] = fed.values.get(name)!;
        continue;
      }
      if (error.code === 'onnx-dtype') {
        const strings = /element type string/.test(error.message);
        throw new Skipped(
          strings ? 'strings' : 'element type that Graft does not have',
          error.message,
        );
      }
      if (error.code === 'onnx-unknown-op') {
        throw new Skipped('no rule for an operator', error.message);
      }
      throw error;
    }
  }
}

/** The first difference between two tensors in words; null when they agree. */
export function difference(
  got: HostTensor,
  want: HostTensor,
  { rtol, atol }: { readonly rtol: number; readonly atol: number },
): string | null {
  if (got.dtype !== want.dtype || got.shape.join() !== want.shape.join()) {
    return `got ${formatType(got)}, expected ${formatType(want)}`;
  }
  const [g, w] = [toNumbers(got), toNumbers(want)];
  for (const [i, expected] of w.entries()) {
    const value = g[i]!;
    if (value === expected || (Number.isNaN(value) && Number.isNaN(expected))) continue;
    if (!(Math.abs(value - expected) <= atol + rtol * Math.abs(expected))) {
      return `element ${i} is ${value}, expected ${expected}`;
    }
  }
  return null;
}

function compare(got: readonly HostTensor[], want: readonly HostTensor[], stored: StoredCase) {
  if (got.length !== want.length) return `${got.length} outputs, expected ${want.length}`;
  for (const [i, w] of want.entries()) {
    const found = difference(got[i]!, w, stored);
    if (found) return `output ${i}: ${found}`;
  }
  return null;
}

/** Newest opset and IR version that this ONNX Runtime loads. */
const NEWEST_LOADED = { opset: 26n, ir: 13n };

/**
 * The model as this ONNX Runtime loads it: a version stamp that is merely too new must not be taken
 * for a kernel that is missing.
 */
function loadable(bytes: Uint8Array): Uint8Array {
  const model = fromBinary(ModelSchema, bytes);
  if (model.irVersion > NEWEST_LOADED.ir) model.irVersion = NEWEST_LOADED.ir;
  for (const entry of model.opsetImport) {
    if (entry.domain === '' && entry.version > NEWEST_LOADED.opset)
      entry.version = NEWEST_LOADED.opset;
  }
  return toBinary(ModelSchema, model);
}

/** Runs the original model in plain ONNX Runtime: what it says settles whose fault a failure is. */
async function plain(
  folder: string,
  model: OnnxModel,
  fed: Fed,
  want: readonly HostTensor[],
  stored: StoredCase,
): Promise<Skipped | null> {
  const fails = (error: unknown) =>
    new Skipped('ONNX Runtime fails on the original model', (error as Error).message.slice(0, 200));
  let session: ort.InferenceSession;
  try {
    const bytes = loadable(readFileSync(join(folder, 'model.onnx')));
    session = await ort.InferenceSession.create(bytes, { logSeverityLevel: 4 });
  } catch (error) {
    return fails(error);
  }
  try {
    const feeds: Record<string, ort.Tensor> = {};
    for (const name of session.inputNames) {
      const value = fed.values.get(name);
      // Sequences cannot be fed from JavaScript, so nothing can be shown.
      if (!value) return null;
      feeds[name] = new ort.Tensor(value.dtype as 'float32', value.data as Float32Array, [
        ...value.shape,
      ]);
    }
    const results = await session.run(feeds);
    const got = model.graph.output.map(({ name }): HostTensor => {
      const t = results[name]!;
      return { dtype: t.type as DType, shape: t.dims, data: t.data as HostTensor['data'] };
    });
    if (got.some((t) => !DTYPES.includes(t.dtype))) return null;
    const found = compare(got, want, stored);
    return found
      ? new Skipped('ONNX Runtime differs from the expected values on the original model', found)
      : null;
  } catch (error) {
    return fails(error);
  } finally {
    await session.release();
  }
}

/** Runs the case in `folder`. */
export async function runCase(engine: Engine, folder: string): Promise<Outcome> {
  const stored: StoredCase = JSON.parse(readFileSync(join(folder, 'case.json'), 'utf8'));
  let ops: string[] = [];
  let known = false;
  const outcome = (status: Outcome['status'], rest: Partial<Outcome> = {}): Outcome => ({
    name: stored.name,
    ops,
    known,
    status,
    ...rest,
  });
  try {
    const model = readOnnx(readFileSync(join(folder, 'model.onnx')));
    ops = [...opsOf(model)];
    known = ops.every((op) => rules.has(op));
    const random = ops.find((op) => RANDOM.has(op));
    const training =
      stored.name.startsWith('test_training_dropout') && !/zero_ratio/.test(stored.name);
    if (random || training)
      throw new Skipped('random values cannot be compared', random ?? 'Dropout');
    const fed = feed(folder, model, stored);
    const want = stored.outputs.flatMap((value) => load(folder, value));
    try {
      const graph = await importCase(engine, model, fed);
      const feeds = new Map<Tensor, HostTensor>();
      for (const [name, t] of Object.entries(graph.inputs)) feeds.set(t, fed.values.get(name)!);
      const got = await engine.evaluate(Object.values(graph.outputs), feeds);
      const found = compare(got, want, stored);
      if (found) throw new Error(found);
      return outcome('passed');
    } catch (error) {
      if (error instanceof Skipped) throw error;
      const excuse = await plain(folder, model, fed, want, stored);
      throw excuse ?? error;
    }
  } catch (error) {
    if (error instanceof Skipped) {
      return outcome('skipped', { skip: error.why, detail: error.message });
    }
    const { code } = error as { code?: string };
    if (code === 'onnx-dtype') {
      return outcome('skipped', {
        skip: 'element type that Graft does not have',
        detail: (error as Error).message,
      });
    }
    return outcome('failed', { detail: `${code ? `[${code}] ` : ''}${(error as Error).message}` });
  }
}
