/** Compiles graphs into sessions of a runtime, and keeps them by structure. */
import { ConfigError } from '../errors.js';
import {
  formatType,
  type HostTensor,
  identityOf,
  inputName,
  optimize,
  sameShape,
  type Tensor,
} from '../graph/index.js';
import { type EncodedModel, encode } from '../onnx/index.js';
import type { DeviceTensor, Runtime, Session } from '../runtime/index.js';
import { hashBytes } from '../util/index.js';

/** A compiled graph: named tensors in, named tensors out. */
export class Program {
  readonly model: EncodedModel;
  private readonly session: Session;
  private readonly runtime: Runtime;

  constructor(runtime: Runtime, session: Session, model: EncodedModel) {
    this.runtime = runtime;
    this.session = session;
    this.model = model;
  }

  /**
   * Runs the program.
   * @param feeds a tensor for every placeholder, on the host or on the device
   * @param into tensors to write results into, by output name; the others are allocated
   * @throws ConfigError when a feed is missing or has another type than its placeholder
   */
  async run(
    feeds: Readonly<Record<string, HostTensor | DeviceTensor>>,
    into: Readonly<Record<string, DeviceTensor>> = {},
  ): Promise<Record<string, DeviceTensor>> {
    const ready: Record<string, DeviceTensor> = {};
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
      ready[want.name] = 'handle' in given ? given : await this.runtime.upload(given);
    }
    const fetches: Record<string, DeviceTensor | null> = {};
    for (const { name } of this.model.outputs) fetches[name] = into[name] ?? null;
    return this.session.run(ready, fetches);
  }
}

/** Compiles and runs graphs on one runtime. */
export class Engine {
  readonly runtime: Runtime;
  private readonly programs = new Map<string, Promise<Program>>();

  constructor(runtime: Runtime) {
    this.runtime = runtime;
  }

  /** Compiles the graph of `outputs`. A graph of equal structure is compiled once. */
  async program(outputs: Readonly<Record<string, Tensor>>): Promise<Program> {
    const names = Object.keys(outputs);
    const optimized = optimize(Object.values(outputs));
    const model = encode({
      outputs: Object.fromEntries(names.map((name, i) => [name, optimized[i]!])),
      target: this.runtime.device,
    });
    // Equal graphs encode to equal bytes; large constants are told apart by identity.
    const key = `${hashBytes(model.bytes)}|${model.external.map((e) => identityOf(e.data.buffer)).join(',')}`;
    let program = this.programs.get(key);
    if (!program) {
      program = this.runtime
        .load(model)
        .then((session) => new Program(this.runtime, session, model));
      program.catch(() => this.programs.delete(key));
      this.programs.set(key, program);
    }
    return program;
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
        throw new ConfigError(`evaluate: ${t.node.describe()} is not a placeholder; feed inputs only.`);
      }
      named[name] = value;
    }
    const results = await program.run(named);
    return Promise.all(outputs.map((_, i) => this.runtime.download(results[String(i)]!)));
  }
}
