/** Compiles graphs into sessions of a runtime, and keeps them by structure. */
import { ConfigError } from '../errors.js';
import {
  constantOf,
  formatType,
  type HostTensor,
  identityOf,
  input,
  inputName,
  optimize,
  type Shape,
  sameShape,
  substitute,
  type Tensor,
  type TensorType,
} from '../graph/index.js';
import { type EncodedModel, encode } from '../onnx/index.js';
import { reshapeOp } from '../ops/index.js';
import type { DeviceTensor, Runtime, Session } from '../runtime/index.js';
import { hashBytes } from '../util/index.js';
import { tileElementwise, tileFor } from './tiles.js';

/** What {@link Engine.program} may be told. */
export interface ProgramOptions {
  /** Placeholders that never change: they become initializers, pre-packed and folded. */
  readonly constants?: ReadonlyMap<Tensor, HostTensor>;
  /** Write an ONNX Runtime profile with this path prefix (Node only). Such a program is not cached. */
  readonly profile?: string;
}

/** A compiled graph: named tensors in, named tensors out. */
export class Program {
  /** The encoded model; `inputs` carries the placeholder names in the order of the model. */
  readonly model: EncodedModel;
  private readonly session: Session;
  private readonly runtime: Runtime;

  /** Shapes of the results; the model may keep one in another shape. */
  private readonly shapes: Readonly<Record<string, Shape>>;

  constructor(
    runtime: Runtime,
    session: Session,
    model: EncodedModel,
    shapes: Readonly<Record<string, Shape>>,
  ) {
    this.runtime = runtime;
    this.session = session;
    this.model = model;
    this.shapes = shapes;
  }

  /** `tensor`, which must have the shape `from`, in the shape `to`. */
  private seenAs(tensor: DeviceTensor, from: Shape, to: Shape): DeviceTensor {
    if (sameShape(from, to) || !sameShape(tensor.shape, from)) return tensor;
    return this.runtime.reshaped!(tensor, to);
  }

  /**
   * Runs the program.
   * @param feeds a tensor for every placeholder, on the host or on the device; others are ignored
   * @param into tensors to write results into, by output name; the others are allocated
   * @throws ConfigError when a feed is missing or has another type than its placeholder
   */
  async run(
    feeds: Readonly<Record<string, HostTensor | DeviceTensor>>,
    into: Readonly<Record<string, DeviceTensor>> = {},
  ): Promise<Record<string, DeviceTensor>> {
    const ready: Record<string, DeviceTensor> = {};
    const temporary: DeviceTensor[] = [];
    for (const want of this.model.inputs) {
      const given = feeds[want.name];
      if (!given) {
        throw new ConfigError(
          `run: input '${want.name}' (${formatType(want)}) was not fed; given: ${Object.keys(feeds).join(', ') || 'nothing'}.`,
          { input: want.name },
        );
      }
      if (given.dtype !== want.dtype || !sameShape(given.shape, want.shape)) {
        throw new ConfigError(
          `run: input '${want.name}' was compiled as ${formatType(want)} but is fed ${formatType(given)}. Compile for this signature, or pad the batch.`,
          { input: want.name },
        );
      }
      if ('handle' in given) {
        ready[want.onnxName] = given;
      } else {
        const uploaded = await this.runtime.upload(given);
        ready[want.onnxName] = uploaded;
        temporary.push(uploaded);
      }
    }
    const fetches: Record<string, DeviceTensor | null> = {};
    for (const { name, onnxName, shape } of this.model.outputs) {
      const given = into[name];
      fetches[onnxName] = given ? this.seenAs(given, this.shapes[name]!, shape) : null;
    }
    try {
      const results = await this.session.run(ready, fetches);
      return Object.fromEntries(
        this.model.outputs.map(({ name, onnxName, shape }) => [
          name,
          into[name] ?? this.seenAs(results[onnxName]!, shape, this.shapes[name]!),
        ]),
      );
    } finally {
      for (const tensor of temporary) this.runtime.free(tensor);
    }
  }
}

/** What `t` is a reshape of, if that is computed; fed values and constants have to be copied. */
function beforeReshape(t: Tensor): Tensor {
  let source = t;
  while (source.node.op === (reshapeOp as unknown)) source = source.node.inputs[0]!;
  return source.node.inputs.length > 0 ? source : t;
}

/** A function compiled for one signature; see {@link Engine.compile}. */
export type Compiled = (...inputs: readonly HostTensor[]) => Promise<HostTensor[]>;

/** Compiles and runs graphs on one runtime. */
export class Engine {
  readonly runtime: Runtime;
  private readonly sessions = new Map<string, Promise<Session>>();

  constructor(runtime: Runtime) {
    this.runtime = runtime;
  }

  /** Number of sessions kept. */
  get cachedSessions(): number {
    return this.sessions.size;
  }

  /**
   * Compiles the graph of `outputs`. Graphs of equal structure share one session, whatever their
   * placeholders are called.
   */
  async program(
    outputs: Readonly<Record<string, Tensor>>,
    { constants, profile }: ProgramOptions = {},
  ): Promise<Program> {
    const names = Object.keys(outputs);
    let results: readonly Tensor[] = Object.values(outputs);
    if (constants?.size) {
      const replaced = new Map<Tensor, Tensor>();
      for (const [t, value] of constants) replaced.set(t, constantOf(value));
      results = substitute(results, replaced);
    }
    results = optimize(results);
    if (this.runtime.device === 'cpu') {
      results = tileElementwise(results, { tile: tileFor(this.runtime.threads) });
    }
    const shapes = Object.fromEntries(names.map((name, i) => [name, results[i]!.shape]));
    // A result that ends in a reshape would be copied into its buffer by it: the model keeps what
    // lies before, and the buffer is seen in that shape.
    if (this.runtime.reshaped) results = results.map(beforeReshape);
    const model = encode({
      outputs: Object.fromEntries(names.map((name, i) => [name, results[i]!])),
      target: this.runtime.device,
      channelBlock: this.runtime.channelBlock ?? 0,
    });
    const load = () => this.runtime.load(model, profile === undefined ? {} : { profile });
    if (profile !== undefined) return new Program(this.runtime, await load(), model, shapes);
    // Equal graphs encode to equal bytes; large constants are told apart by identity.
    const key = `${hashBytes(model.bytes)}|${model.external.map((e) => `${identityOf(e.data.buffer)}+${e.data.byteOffset}`).join(',')}`;
    let session = this.sessions.get(key);
    if (!session) {
      session = load();
      session.catch(() => this.sessions.delete(key));
      this.sessions.set(key, session);
    }
    return new Program(this.runtime, await session, model, shapes);
  }

  /**
   * Traces `fn` on placeholders of the given types and compiles it.
   * @example
   * const f = await engine.compile((a, b) => [matmul(a, b)], [aType, bType]);
   * const [y] = await f(a, b);
   */
  async compile(
    fn: (...inputs: Tensor[]) => readonly Tensor[],
    signature: readonly TensorType[],
  ): Promise<Compiled> {
    const inputs = signature.map((type, i) => input(`arg${i}`, type.dtype, type.shape));
    const outputs = fn(...inputs);
    const program = await this.program(
      Object.fromEntries(outputs.map((t, i) => [String(i), t] as const)),
    );
    return async (...values) => {
      if (values.length !== inputs.length) {
        throw new ConfigError(
          `compiled function: expected ${inputs.length} inputs, got ${values.length}.`,
        );
      }
      const feeds = Object.fromEntries(values.map((v, i) => [`arg${i}`, v] as const));
      const results = await program.run(feeds);
      return this.takeBack(results, outputs.length);
    };
  }

  /** Compiles, runs once and reads back: for tests, small jobs and looking at values. */
  async evaluate(
    outputs: readonly Tensor[],
    feeds: ReadonlyMap<Tensor, HostTensor> = new Map(),
  ): Promise<HostTensor[]> {
    const program = await this.program(
      Object.fromEntries(outputs.map((t, i) => [String(i), t] as const)),
    );
    const named: Record<string, HostTensor> = {};
    for (const [t, value] of feeds) {
      const name = inputName(t);
      if (name === null) {
        throw new ConfigError(
          `evaluate: ${t.node.describe()} is not a placeholder; only inputs can be fed.`,
        );
      }
      named[name] = value;
    }
    const results = await program.run(named);
    return this.takeBack(results, outputs.length);
  }

  /** Reads numbered results and frees them: on a GPU nobody else would. */
  private async takeBack(
    results: Readonly<Record<string, DeviceTensor>>,
    count: number,
  ): Promise<HostTensor[]> {
    const tensors = Array.from({ length: count }, (_, i) => results[String(i)]!);
    const values = await Promise.all(tensors.map((t) => this.runtime.download(t)));
    for (const t of tensors) this.runtime.free(t);
    return values;
  }

  /** Releases every session. The engine can go on: programs are then compiled anew. */
  async release(): Promise<void> {
    const sessions = [...this.sessions.values()];
    this.sessions.clear();
    await Promise.all(sessions.map(async (s) => (await s).release()));
  }
}
