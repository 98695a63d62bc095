/** What the runtimes of Node and of the browser share: sessions and tensors of ONNX Runtime. */
import type * as ort from 'onnxruntime-node';
import { EngineError } from '../errors.js';
import {
  DTYPES,
  type DType,
  dtypeInfo,
  formatType,
  type HostTensor,
  sameShape,
  sizeOf,
  type TensorType,
} from '../graph/index.js';
import type { EncodedModel } from '../onnx/index.js';
import type { Memory, OrtTensor } from './ort-memory.js';
import type {
  DeclaredOutput,
  Device,
  DeviceTensor,
  Runtime,
  Session,
  SessionOptions,
} from './runtime.js';

/** The part of an ONNX Runtime session that is used here. */
export interface RawSession {
  readonly outputMetadata: ort.InferenceSession['outputMetadata'];
  run(
    feeds: ort.InferenceSession.FeedsType,
    fetches?: ort.InferenceSession.NullableOnnxValueMapType,
  ): Promise<ort.InferenceSession.ReturnType>;
  release(): Promise<void>;
}

/** Opens a session; the platform adds its provider and threads. */
export type OpenSession = (
  model: Uint8Array,
  options: ort.InferenceSession.SessionOptions,
) => Promise<RawSession>;

const handleOf = (tensor: DeviceTensor) => tensor.handle as OrtTensor;

class OrtSession implements Session {
  private raw: RawSession | null;
  private readonly model: EncodedModel;
  private readonly memory: Memory;

  constructor(raw: RawSession, model: EncodedModel, memory: Memory) {
    this.raw = raw;
    this.model = model;
    this.memory = memory;
  }

  declaredOutputs(): readonly DeclaredOutput[] {
    return (this.raw?.outputMetadata ?? []).map((m) => ({
      name: m.name,
      dtype: m.isTensor && DTYPES.includes(m.type as DType) ? (m.type as DType) : null,
      // An empty list stands for a scalar and for an unknown rank alike.
      shape:
        m.isTensor && m.shape.length > 0
          ? m.shape.map((d) => (typeof d === 'number' && d >= 0 ? d : null))
          : undefined,
    }));
  }

  async run(
    feeds: Readonly<Record<string, DeviceTensor>>,
    fetches: Readonly<Record<string, DeviceTensor | null>>,
  ): Promise<Record<string, DeviceTensor>> {
    const { raw } = this;
    if (!raw) throw new EngineError('released', 'run: this session was released; load it again.');
    const ortFeeds: Record<string, OrtTensor> = {};
    for (const { name, onnxName } of this.model.inputs) {
      const fed = feeds[onnxName];
      if (!fed) {
        throw new EngineError('feed', `run: input '${onnxName}' ('${name}') was not fed.`, {
          name,
        });
      }
      ortFeeds[onnxName] = handleOf(fed);
    }
    const bound = await this.bind(fetches, new Set(Object.values(ortFeeds)));
    let results: ort.InferenceSession.ReturnType;
    try {
      results = await raw.run(ortFeeds, bound);
    } catch (cause) {
      throw new EngineError('run', `ONNX Runtime failed: ${messageOf(cause)}`, {}, { cause });
    }
    const out: Record<string, DeviceTensor> = {};
    for (const [name, given] of Object.entries(fetches)) {
      const result = bound[name] ?? results[name]!;
      if (given && handleOf(given) !== result) await this.memory.move(handleOf(given), result);
      out[name] = given ?? { dtype: result.type as DType, shape: result.dims, handle: result };
    }
    return out;
  }

  async release(): Promise<void> {
    const { raw } = this;
    this.raw = null;
    await raw?.release();
  }

  /** What the session writes each result into; null where it allocates by itself. */
  private async bind(
    fetches: Readonly<Record<string, DeviceTensor | null>>,
    fed: ReadonlySet<OrtTensor>,
  ): Promise<Record<string, OrtTensor | null>> {
    const types = Object.entries(fetches).map(([name, given]) => {
      const type = this.model.outputs.find((o) => o.onnxName === name);
      if (!type) {
        throw new EngineError(
          'fetch',
          `run: the model has no output '${name}'; it has ${this.model.outputs.map((o) => o.onnxName).join(', ')}.`,
          { name },
        );
      }
      if (given) requireType('run', `output '${type.name}'`, type, given);
      return type;
    });
    const someGiven = Object.values(fetches).some((given) => given !== null);
    const bound: Record<string, OrtTensor | null> = {};
    for (const [i, [name, given]] of Object.entries(fetches).entries()) {
      const target = given && handleOf(given);
      bound[name] =
        target && this.memory.writable(target, fed.has(target))
          ? target
          : await this.memory.allocate(types[i]!, someGiven);
    }
    return bound;
  }
}

/** A runtime on one device of ONNX Runtime. */
export class OrtRuntime implements Runtime {
  readonly device: Device;
  readonly threads: number;
  readonly channelBlock: number;
  private readonly memory: Memory;
  private readonly open: OpenSession;
  readonly reshaped?: Runtime['reshaped'];

  constructor(
    device: Device,
    threads: number,
    memory: Memory,
    open: OpenSession,
    channelBlock = 0,
  ) {
    this.device = device;
    this.threads = threads;
    this.channelBlock = channelBlock;
    this.memory = memory;
    this.open = open;
    // In host memory a tensor object is a typed array and a shape; on a device it owns its buffer.
    if (device === 'cpu') {
      this.reshaped = (tensor, shape) => ({
        dtype: tensor.dtype,
        shape,
        handle: handleOf(tensor).reshape(shape),
      });
    }
  }

  async load(model: EncodedModel, options: SessionOptions = {}): Promise<Session> {
    try {
      const raw = await this.open(model.bytes, {
        externalData: model.external.map(({ path, data }) => ({ path, data })),
        // Errors only: warnings are about ONNX Runtime's own rewrites, nothing a caller can change.
        logSeverityLevel: 3,
        ...(options.profile ? { enableProfiling: true, profileFilePrefix: options.profile } : {}),
      });
      return new OrtSession(raw, model, this.memory);
    } catch (cause) {
      throw sessionError(this.device, cause);
    }
  }

  async upload(value: HostTensor): Promise<DeviceTensor> {
    requireData('upload', value);
    const { dtype, shape } = value;
    return { dtype, shape, handle: await this.memory.upload(value) };
  }

  async write(tensor: DeviceTensor, value: HostTensor): Promise<void> {
    requireType('write', 'the tensor', tensor, value);
    requireData('write', value);
    await this.memory.write(handleOf(tensor), value);
  }

  async download({ dtype, shape, handle }: DeviceTensor): Promise<HostTensor> {
    return { dtype, shape, data: await this.memory.download(handle as OrtTensor) };
  }

  free(tensor: DeviceTensor): void {
    this.memory.free(handleOf(tensor));
  }
}

/** How ONNX Runtime says that no provider computes an operation; the web build has words of its own. */
const KERNEL_MISSING = /Could not find an implementation for (\w+)|Provider type for (\w+) node/;

function sessionError(device: Device, cause: unknown): EngineError {
  const reason = messageOf(cause);
  const missing = KERNEL_MISSING.exec(reason);
  const op = missing?.[1] ?? missing?.[2];
  return op
    ? new EngineError(
        'kernel-missing',
        `device '${device}' cannot compute ${op} on this element type (in the browser, WebGPU's build has no float64). Cast to float32, or use another device. ONNX Runtime says: ${reason}`,
        { device, op },
        { cause },
      )
    : new EngineError(
        'session',
        `ONNX Runtime could not load the program: ${reason}`,
        { device },
        { cause },
      );
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}

function requireType(op: string, what: string, want: TensorType, got: TensorType): void {
  if (want.dtype !== got.dtype || !sameShape(want.shape, got.shape)) {
    throw new EngineError(
      op,
      `${op}: ${what} is ${formatType(want)} but was given ${formatType(got)}.`,
    );
  }
}

/** ONNX Runtime would read past the end of a short array, or misread one of another type. */
function requireData(op: string, value: HostTensor): void {
  const { array } = dtypeInfo(value.dtype);
  if (!(value.data instanceof array)) {
    throw new EngineError(
      op,
      `${op}: ${formatType(value)} is stored in ${array.name}, got ${value.data?.constructor.name}.`,
    );
  }
  if (value.data.length !== sizeOf(value.shape)) {
    throw new EngineError(
      op,
      `${op}: ${formatType(value)} needs ${sizeOf(value.shape)} values, got ${value.data.length}.`,
    );
  }
}
