/** ONNX Runtime in Node: the native library through `onnxruntime-node`. */
import { availableParallelism } from 'node:os';
import * as ort from 'onnxruntime-node';
import { EngineError } from '../errors.js';
import { formatType, type HostTensor, sizeOf, type TensorData } from '../graph/index.js';
import type { EncodedModel } from '../onnx/index.js';
import type { DeviceTensor, Runtime, Session, SessionOptions } from './runtime.js';

/** Options of {@link nodeRuntime}. */
export interface NodeRuntimeOptions {
  readonly device?: 'cpu';
  /** Threads inside an operation. Defaults to the number of processors available. */
  readonly threads?: number;
}

function toOrt(value: HostTensor): ort.Tensor {
  const { dtype, shape } = value;
  const data = value.data as Float32Array;
  return new ort.Tensor(dtype as 'float32', data, [...shape]);
}

class NodeSession implements Session {
  private readonly session: ort.InferenceSession;
  private readonly model: EncodedModel;

  constructor(session: ort.InferenceSession, model: EncodedModel) {
    this.session = session;
    this.model = model;
  }

  async run(
    feeds: Readonly<Record<string, DeviceTensor>>,
    fetches: Readonly<Record<string, DeviceTensor | null>>,
  ): Promise<Record<string, DeviceTensor>> {
    const ortFeeds: Record<string, ort.Tensor> = {};
    for (const { onnxName } of this.model.inputs) {
      ortFeeds[onnxName] = feeds[onnxName]!.handle as ort.Tensor;
    }
    const ortFetches: Record<string, ort.Tensor | null> = {};
    for (const [name, tensor] of Object.entries(fetches)) {
      ortFetches[name] = (tensor?.handle as ort.Tensor | undefined) ?? null;
    }
    let results: ort.InferenceSession.ReturnType;
    try {
      results = await this.session.run(ortFeeds, ortFetches);
    } catch (cause) {
      throw new EngineError('run', `ONNX Runtime failed: ${(cause as Error).message}`, {}, { cause });
    }
    const out: Record<string, DeviceTensor> = {};
    for (const [name, given] of Object.entries(fetches)) {
      const handle = results[name]!;
      out[name] = given ?? {
        dtype: handle.type as DeviceTensor['dtype'],
        shape: handle.dims as readonly number[],
        handle,
      };
    }
    return out;
  }

  async release(): Promise<void> {
    await this.session.release();
  }
}

class NodeRuntime implements Runtime {
  readonly device = 'cpu' as const;
  readonly threads: number;

  constructor(threads: number) {
    this.threads = threads;
  }

  async load(model: EncodedModel, options: SessionOptions = {}): Promise<Session> {
    try {
      const session = await ort.InferenceSession.create(model.bytes, {
        executionProviders: ['cpu'],
        intraOpNumThreads: this.threads,
        interOpNumThreads: 1,
        graphOptimizationLevel: 'all',
        // Measured: the pattern planner raises the peak by half and gains no time.
        enableMemPattern: false,
        externalData: model.external.map(({ path, data }) => ({ path, data })),
        ...(options.profile ? { enableProfiling: true, profileFilePrefix: options.profile } : {}),
        // Idle threads of one session would spin and starve the next one.
        extra: { session: { intra_op: { allow_spinning: '0' } } },
      });
      return new NodeSession(session, model);
    } catch (cause) {
      throw new EngineError(
        'session',
        `ONNX Runtime could not load the program: ${(cause as Error).message}`,
        {},
        { cause },
      );
    }
  }

  async upload(value: HostTensor): Promise<DeviceTensor> {
    if (value.data.length !== sizeOf(value.shape)) {
      throw new EngineError(
        'upload',
        `upload: ${formatType(value)} needs ${sizeOf(value.shape)} values, got ${value.data.length}.`,
      );
    }
    return { dtype: value.dtype, shape: value.shape, handle: toOrt(value) };
  }

  async write(tensor: DeviceTensor, value: HostTensor): Promise<void> {
    const target = (tensor.handle as ort.Tensor).data as Float32Array;
    target.set(value.data as Float32Array);
  }

  async download(tensor: DeviceTensor): Promise<HostTensor> {
    const data = (tensor.handle as ort.Tensor).data as unknown as TensorData;
    return { dtype: tensor.dtype, shape: tensor.shape, data };
  }

  free(): void {}
}

/** A runtime on this machine's processors. */
export async function nodeRuntime({
  threads = availableParallelism(),
}: NodeRuntimeOptions = {}): Promise<Runtime> {
  return new NodeRuntime(threads);
}
