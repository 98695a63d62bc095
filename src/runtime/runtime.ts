/** The interface between the engine and an inference runtime. Only `ort-*.ts` know ONNX Runtime. */
import type { DType, HostTensor, OnnxTarget, Shape, TensorType } from '../graph/index.js';
import type { EncodedModel } from '../onnx/index.js';

/** Where programs run: `cpu` (native, Node), `wasm` (browser), `webgpu` (both), `cuda` (Node). */
export type Device = Exclude<OnnxTarget, 'portable'>;

/** A tensor in the memory of a runtime. Its contents may be overwritten by a session. */
export interface DeviceTensor extends TensorType {
  /** The runtime's own object; nobody else looks inside. */
  readonly handle: unknown;
}

/** How a session is created. */
export interface SessionOptions {
  /** Write an ONNX Runtime profile beside this path prefix. Node only. */
  readonly profile?: string;
}

/** What a runtime infers of an output without running the model. */
export interface DeclaredOutput {
  readonly name: string;
  /** Null when it is not a tensor, or of an element type that Graft does not have. */
  readonly dtype: DType | null;
  /** Null for an axis whose size is decided only by a run; undefined when not even the rank is known. */
  readonly shape: readonly (number | null)[] | undefined;
}

/** A loaded model. */
export interface Session {
  /** Types of all outputs of the model, in its order. */
  declaredOutputs(): readonly DeclaredOutput[];
  /**
   * Runs the model.
   * @param feeds one tensor for each input, by its `onnxName`
   * @param fetches for each output wanted, by its `onnxName`, a tensor to write into, or null to allocate one. A
   *   tensor may be both fed and fetched: it is then updated in place.
   */
  run(
    feeds: Readonly<Record<string, DeviceTensor>>,
    fetches: Readonly<Record<string, DeviceTensor | null>>,
  ): Promise<Record<string, DeviceTensor>>;
  release(): Promise<void>;
}

/** A runtime on one device. */
export interface Runtime {
  readonly device: Device;
  /** Threads used inside an operation; 1 where there is no thread pool. */
  readonly threads: number;
  /** See `OnnxEmitter.channelBlock`. Defaults to 0. */
  readonly channelBlock?: number;
  load(model: EncodedModel, options?: SessionOptions): Promise<Session>;
  /** Brings values to the device. On the CPU the typed array itself becomes the buffer: no copy. */
  upload(value: HostTensor): Promise<DeviceTensor>;
  /** Overwrites the contents of a tensor. */
  write(tensor: DeviceTensor, value: HostTensor): Promise<void>;
  /** The same memory in another shape; absent where a tensor cannot share another's memory. */
  reshaped?(tensor: DeviceTensor, shape: Shape): DeviceTensor;
  /** Reads values back. On the CPU this is a view of the buffer, not a copy. */
  download(tensor: DeviceTensor): Promise<HostTensor>;
  /** Frees device memory; a no-op on the CPU. */
  free(tensor: DeviceTensor): void;
}
