/** Values that live on the device between runs, and programs that update them. */
import { ConfigError } from '../errors.js';
import {
  filled,
  formatType,
  type HostTensor,
  inputName,
  optimize,
  sameShape,
  type Tensor,
} from '../graph/index.js';
import type { DeviceTensor, Runtime } from '../runtime/index.js';
import type { Engine, Program, ProgramOptions } from './engine.js';
import { type Updates, writableInPlace } from './in-place.js';

/** Device buffers of placeholders: parameters, optimizer state, running statistics. */
export class Variables {
  private readonly runtime: Runtime;
  private readonly buffers = new Map<Tensor, DeviceTensor>();

  constructor(runtime: Runtime) {
    this.runtime = runtime;
  }

  /** Gives `variable` a value of its own: the data is copied, the caller's array stays untouched. */
  async create(variable: Tensor, value: HostTensor): Promise<void> {
    if (value.dtype !== variable.dtype || !sameShape(value.shape, variable.shape)) {
      throw new ConfigError(
        `Variable '${inputName(variable)}' is ${formatType(variable)} but its value is ${formatType(value)}.`,
      );
    }
    const copy: HostTensor = { ...value, data: value.data.slice() };
    this.buffers.set(variable, await this.runtime.upload(copy));
  }

  /**
   * Gives `variable` zeros. They are not copied, and untouched pages of a new array take neither time nor
   * memory: the optimizer's state of BERT-base is 880 MB.
   */
  async createZero(variable: Tensor): Promise<void> {
    const zeros = filled(variable.dtype, variable.shape, 0);
    this.buffers.set(variable, await this.runtime.upload(zeros));
  }

  has(variable: Tensor): boolean {
    return this.buffers.has(variable);
  }

  /** The buffer that holds the current value. */
  buffer(variable: Tensor): DeviceTensor {
    const buffer = this.buffers.get(variable);
    if (!buffer) throw new ConfigError(`Variable '${inputName(variable)}' has no value yet.`);
    return buffer;
  }

  /** Replaces the buffer of a variable; used when a new value was written elsewhere. */
  replace(variable: Tensor, buffer: DeviceTensor): void {
    this.buffers.set(variable, buffer);
  }

  /** A copy of the current value. */
  async read(variable: Tensor): Promise<HostTensor> {
    const value = await this.runtime.download(this.buffer(variable));
    return { dtype: variable.dtype, shape: variable.shape, data: value.data.slice() };
  }

  /** Overwrites the value of a variable. */
  async write(variable: Tensor, value: HostTensor): Promise<void> {
    if (value.dtype !== variable.dtype || !sameShape(value.shape, variable.shape)) {
      throw new ConfigError(
        `Variable '${inputName(variable)}' is ${formatType(variable)} but is given ${formatType(value)}.`,
      );
    }
    await this.runtime.write(this.buffer(variable), value);
  }

  /** Current buffers of all variables, by placeholder name, to be fed to a program. */
  feeds(): Record<string, DeviceTensor> {
    const feeds: Record<string, DeviceTensor> = {};
    for (const [t, buffer] of this.buffers) feeds[inputName(t)!] = buffer;
    return feeds;
  }

  /** Frees every buffer. */
  free(): void {
    for (const buffer of this.buffers.values()) this.runtime.free(buffer);
    this.buffers.clear();
  }
}

const updateName = (i: number) => `update:${i}`;

/** A program that reads and updates variables; whatever its graph, updates never disturb reads. */
export class StatefulProgram {
  private readonly engine: Engine;
  private readonly program: Program;
  private readonly variables: Variables;
  private readonly targets: readonly Tensor[];
  private readonly inPlace: ReadonlySet<Tensor>;
  /** Second buffers of variables that cannot be written in place. */
  private readonly spare = new Map<Tensor, DeviceTensor>();

  private constructor(
    engine: Engine,
    program: Program,
    variables: Variables,
    targets: readonly Tensor[],
    inPlace: ReadonlySet<Tensor>,
  ) {
    this.engine = engine;
    this.program = program;
    this.variables = variables;
    this.targets = targets;
    this.inPlace = inPlace;
  }

  /**
   * Compiles `outputs` together with the new values of variables.
   * @param updates for each variable that changes, the tensor that becomes its value after a run
   */
  static async compile(
    engine: Engine,
    variables: Variables,
    outputs: Readonly<Record<string, Tensor>>,
    updates: Updates,
    options: ProgramOptions = {},
  ): Promise<StatefulProgram> {
    const names = Object.keys(outputs);
    const targets = [...updates.keys()];
    const results = optimize([...Object.values(outputs), ...updates.values()]);
    const next = new Map(targets.map((t, i) => [t, results[names.length + i]!] as const));
    const plain = results.slice(0, names.length);
    const inPlace = writableInPlace(next, plain, engine.runtime.device);
    const program = await engine.program(
      Object.fromEntries([
        ...names.map((name, i) => [name, plain[i]!] as const),
        ...targets.map((t, i) => [updateName(i), next.get(t)!] as const),
      ]),
      options,
    );
    return new StatefulProgram(engine, program, variables, targets, inPlace);
  }

  /** Names of the variables that are updated without a second buffer. */
  get updatedInPlace(): string[] {
    return [...this.inPlace].map((t) => inputName(t)!);
  }

  /** The compiled model. */
  get model(): Program['model'] {
    return this.program.model;
  }

  /**
   * Runs once and moves every updated variable to its new value.
   * @param feeds placeholders that are not variables
   * @param into buffers for plain outputs, by name
   */
  async run(
    feeds: Readonly<Record<string, HostTensor | DeviceTensor>>,
    into: Readonly<Record<string, DeviceTensor>> = {},
  ): Promise<Record<string, DeviceTensor>> {
    const buffers: Record<string, DeviceTensor> = { ...into };
    for (const [i, t] of this.targets.entries()) {
      const target = this.inPlace.has(t) ? this.variables.buffer(t) : this.spare.get(t);
      // Without a spare buffer yet, the runtime allocates one; it becomes the variable's below.
      if (target) buffers[updateName(i)] = target;
    }
    const results = await this.program.run({ ...feeds, ...this.variables.feeds() }, buffers);
    for (const [i, t] of this.targets.entries()) {
      const written = results[updateName(i)]!;
      delete results[updateName(i)];
      if (this.inPlace.has(t)) continue;
      this.spare.set(t, this.variables.buffer(t));
      this.variables.replace(t, written);
    }
    return results;
  }

  /** Frees second buffers. */
  free(): void {
    for (const buffer of this.spare.values()) this.engine.runtime.free(buffer);
    this.spare.clear();
  }
}
