/** Imports ONNX models with a runtime at hand, which evaluates what must be known while importing. */
import { EngineError } from '../errors.js';
import {
  DTYPES,
  filled,
  formatType,
  type HostTensor,
  sameShape,
  type Tensor,
  type TensorType,
} from '../graph/index.js';
import {
  type EncodedModel,
  type ImportedGraph,
  type ImportOptions,
  importGraph,
  type OnnxEvaluator,
  type OnnxModel,
  type Probe,
} from '../onnx/index.js';
import type { DeviceTensor, Session } from '../runtime/index.js';
import type { Engine } from './engine.js';

/** An evaluator that runs on the engine's runtime. */
export function engineEvaluator(engine: Engine): OnnxEvaluator {
  return {
    evaluate: (tensors: readonly Tensor[]): Promise<HostTensor[]> => engine.evaluate(tensors),
    outputTypes: (probe: Probe) => outputTypes(engine, probe),
    run: (probe: Probe) => runProbe(engine, probe),
  };
}

/**
 * Imports an `.onnx` model, so that it can be run, differentiated and trained.
 * @param source the bytes of the file, or what `readOnnx` made of them
 * @throws WeightsError when the file is damaged or holds what Graft cannot import; ConfigError when
 *   a size is missing or does not fit
 */
export function importOnnx(
  engine: Engine,
  source: Uint8Array | OnnxModel,
  options: ImportOptions = {},
): Promise<ImportedGraph> {
  return importGraph(source, { evaluator: engineEvaluator(engine), ...options });
}

function probeModel(probe: Probe): EncodedModel {
  const value = (name: string, type: TensorType) => ({ name, onnxName: name, ...type });
  return {
    bytes: probe.bytes,
    external: [],
    inputs: probe.inputs.map((type, i) => value(`in:${i}`, type)),
    // The types of the outputs are what is asked for; a session on the CPU does not look at them.
    outputs: Array.from({ length: probe.outputs }, (_, i) =>
      value(`out:${i}`, { dtype: 'float32', shape: [] }),
    ),
    origins: new Map(),
  };
}

async function outputTypes(engine: Engine, probe: Probe): Promise<TensorType[]> {
  const session = await engine.runtime.load(probeModel(probe));
  try {
    const declared = session.declaredOutputs().filter(({ name }) => name.startsWith('out:'));
    const types = declared.map(({ dtype, shape }): TensorType | null =>
      dtype && shape?.every((d) => d !== null) ? { dtype, shape: shape as number[] } : null,
    );
    if (types.every((t) => t !== null)) return types;
    if (!probe.mayRun) {
      throw new EngineError(
        'probe',
        'the sizes of its results are not fixed by the sizes of its inputs.',
      );
    }
    return await run(engine, session, probe);
  } finally {
    await session.release();
  }
}

async function runProbe(engine: Engine, probe: Probe): Promise<HostTensor[]> {
  const session = await engine.runtime.load(probeModel(probe));
  try {
    const results = await fetchAll(session, {}, probe);
    return await Promise.all(results.map((t) => engine.runtime.download(t)));
  } finally {
    await session.release();
  }
}

async function fetchAll(
  session: Session,
  feeds: Readonly<Record<string, DeviceTensor>>,
  probe: Probe,
): Promise<DeviceTensor[]> {
  const names = Array.from({ length: probe.outputs }, (_, i) => `out:${i}`);
  const results = await session.run(feeds, Object.fromEntries(names.map((n) => [n, null])));
  return names.map((name) => {
    const result = results[name]!;
    if (!DTYPES.includes(result.dtype)) {
      throw new EngineError(
        'probe',
        `its result is ${formatType(result)}, which Graft cannot hold.`,
      );
    }
    return result;
  });
}

/** Runs a probe on two kinds of values: a size that differs between them depends on the data. */
async function run(engine: Engine, session: Session, probe: Probe): Promise<TensorType[]> {
  const attempt = async (value: number): Promise<TensorType[]> => {
    const feeds: Record<string, DeviceTensor> = {};
    for (const [i, { dtype, shape }] of probe.inputs.entries()) {
      feeds[`in:${i}`] = await engine.runtime.upload(filled(dtype, shape, value));
    }
    const results = await fetchAll(session, feeds, probe);
    return results.map(({ dtype, shape }) => ({ dtype, shape: [...shape] }));
  };
  const [zeros, ones] = [await attempt(0), await attempt(1)];
  for (const [i, type] of zeros.entries()) {
    if (!sameShape(type.shape, ones[i]!.shape)) {
      throw new EngineError('probe', 'the sizes of its results depend on values.');
    }
  }
  return zeros;
}
