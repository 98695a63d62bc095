/**
 * A training step: one graph (forward, loss, backward, clipping, optimizer), cut into a program
 * that reads parameters and writes gradients, and a program that updates everything in place.
 * Between the two lies the seat of gradient exchange among machines.
 */
import { vjp } from '../autodiff/index.js';
import { ConfigError } from '../errors.js';
import {
  type DType,
  formatType,
  type HostTensor,
  hostTensor,
  input,
  inputName,
  scalar,
  type Tensor,
  toNumbers,
} from '../graph/index.js';
import { add, reshape } from '../ops/index.js';
import type { DeviceTensor } from '../runtime/index.js';
import type { Engine } from './engine.js';
import { locateNonFinite } from './non-finite.js';
import type { Optimizer } from './optimizer.js';
import { checkDistinct, checkState, type Named, type TrainState } from './train-state.js';
import { type GradientLimits, type UpdateGraph, updateGraph } from './update-graph.js';
import { StatefulProgram, Variables } from './variables.js';

/** A placeholder with its starting value. */
export interface Variable extends Named {
  readonly value: HostTensor;
}

/** What tracing the loss yields. */
export interface TracedLoss {
  /** Scalar: the loss summed over the items of the batch, or their mean when `weight` is absent. */
  readonly loss: Tensor;
  /**
   * Scalar: how much the batch weighs (number of items or target tokens). The step minimises
   * sum(loss) / sum(weight) over its whole window. Defaults to 1 a batch.
   */
  readonly weight?: Tensor;
  /** Other tensors to fetch. */
  readonly metrics?: Readonly<Record<string, Tensor>>;
  /** New values of buffers, such as running statistics. */
  readonly updates?: ReadonlyMap<Tensor, Tensor>;
}

/** Options of {@link TrainStep}. */
export interface TrainStepOptions {
  /** What is trained. */
  readonly parameters: readonly Variable[];
  /** State that the forward pass updates itself (running statistics). */
  readonly buffers?: readonly Variable[];
  /** Placeholders that do not change: they become initializers. */
  readonly constants?: ReadonlyMap<Tensor, HostTensor>;
  /** Builds the loss for placeholders of one batch. Called once for each signature. */
  readonly trace: (batch: Readonly<Record<string, Tensor>>, key: Tensor) => TracedLoss;
  /** One optimizer for all parameters, or one for each: equal instances share their scalars. */
  readonly optimizer: Optimizer | ((name: string, parameter: Tensor) => Optimizer);
  /** Limits on the gradient of the whole window. None by default. */
  readonly clip?: GradientLimits;
  /** Seed of the keys handed to `trace`; a 32-bit integer. Defaults to 0. */
  readonly seed?: number;
  /** Look for NaN and infinity after every backward pass and name the node that made the first. */
  readonly debug?: boolean;
}

type StepOptions = Omit<TrainStepOptions, 'parameters' | 'buffers'> & {
  readonly parameters: readonly Named[];
  readonly buffers: readonly Named[];
};

/** Results of a step: loss averaged over the window, and the last batch's metrics. */
export interface StepResult {
  readonly loss: number;
  readonly weight: number;
  /** Global 2-norm of the averaged gradient; only with `clip.norm`. */
  readonly gradientNorm?: number;
  readonly metrics: Readonly<Record<string, HostTensor>>;
}

/** One batch, by placeholder name. */
export type Batch = Readonly<Record<string, HostTensor>>;

interface GradientProgram {
  readonly program: StatefulProgram;
  readonly traced: TracedLoss;
  readonly gradients: readonly Tensor[];
}

const LOSS = 'loss';
const WEIGHT = 'weight';

async function readScalar(engine: Engine, tensor: DeviceTensor): Promise<number> {
  return toNumbers(await engine.runtime.download(tensor))[0]!;
}

function checkOptions({ parameters, clip, seed = 0 }: TrainStepOptions): void {
  if (parameters.length === 0) {
    throw new ConfigError(
      'TrainStep: there is no parameter to train. Unfreeze at least one, or run a program for inference instead.',
    );
  }
  if (!Number.isInteger(seed) || seed !== (seed | 0)) {
    throw new ConfigError(`TrainStep: the seed must be a 32-bit integer, got ${seed}.`);
  }
  for (const [limit, value] of Object.entries(clip ?? {})) {
    if (value !== undefined && !(value > 0)) {
      throw new ConfigError(`TrainStep: clip.${limit} must be a number > 0, got ${value}.`);
    }
  }
}

/** What a parameter's state is saved under. */
const stateName = (parameter: string, key: string) => `optimizer:${parameter}:${key}`;

/** A compiled, stateful training step. Not reentrant: await one call before the next. */
export class TrainStep {
  readonly engine: Engine;
  /** Current values of parameters and buffers; evaluation programs may be fed from it. */
  readonly variables: Variables;
  /** Without starting values, which are as large as the model: the caller may let go of them. */
  private readonly options: StepOptions;
  private readonly key = input('@key', 'int32', [2]);
  private readonly optimizers: readonly Optimizer[];
  private readonly state: readonly Named[];
  private readonly gradientInputs: readonly Tensor[];
  private readonly programs = new Map<string, Promise<GradientProgram>>();
  private update: StatefulProgram | undefined;
  private updateScalars: UpdateGraph['scalars'] = () => ({});
  private stepCount = 0;
  private batchCount = 0;

  private constructor(engine: Engine, options: TrainStepOptions) {
    this.engine = engine;
    const named = ({ name, tensor }: Variable): Named => ({ name, tensor });
    this.options = {
      ...options,
      parameters: options.parameters.map(named),
      buffers: (options.buffers ?? []).map(named),
    };
    this.variables = new Variables(engine.runtime);
    const { optimizer, parameters } = options;
    this.optimizers = parameters.map((p) =>
      typeof optimizer === 'function' ? optimizer(p.name, p.tensor) : optimizer,
    );
    this.gradientInputs = parameters.map((p) =>
      input(`@gradient:${p.name}`, p.tensor.dtype, p.tensor.shape),
    );
    this.state = parameters.flatMap((p, i) =>
      Object.entries(this.optimizers[i]!.state(p.tensor)).map(([key, type]) => {
        const name = stateName(p.name, key);
        return {
          name,
          tensor: input(`@${name}`, type.dtype, type.shape),
        };
      }),
    );
  }

  /**
   * Prepares a step: uploads parameters, buffers and zeroed optimizer state, and compiles the
   * update. Gradient programs are compiled when a batch of a new signature comes.
   * @throws ConfigError when there is nothing to train or a name is used twice
   */
  static async create(engine: Engine, options: TrainStepOptions): Promise<TrainStep> {
    checkOptions(options);
    const step = new TrainStep(engine, options);
    checkDistinct(step.all());
    const { parameters, buffers = [] } = options;
    for (const v of [...parameters, ...buffers]) await step.variables.create(v.tensor, v.value);
    for (const t of [...step.state.map((v) => v.tensor), ...step.gradientInputs]) {
      await step.variables.createZero(t);
    }
    await step.compileUpdate();
    return step;
  }

  /** Optimizer updates done so far. */
  get steps(): number {
    return this.stepCount;
  }

  /**
   * Does one optimizer update on one batch, or on a window of batches whose gradients are
   * accumulated: the result is that of one batch holding them all.
   */
  async step(window: Batch | readonly Batch[]): Promise<StepResult> {
    const batches = (Array.isArray(window) ? window : [window]) as readonly Batch[];
    if (batches.length === 0) throw new ConfigError('step: the window holds no batch.');
    let loss = 0;
    let weight = 0;
    let metrics: Record<string, HostTensor> = {};
    for (const [i, batch] of batches.entries()) {
      const compiled = await this.gradientProgram(batch, i > 0);
      const { program, traced } = compiled;
      const key = hostTensor('int32', [2], [this.options.seed ?? 0, this.batchCount]);
      const feeds = { ...batch, '@key': key };
      const buffers = this.options.debug ? await this.bufferValues() : {};
      const results = await program.run(feeds);
      this.batchCount++;
      loss += await readScalar(this.engine, results[LOSS]!);
      weight += traced.weight ? await readScalar(this.engine, results[WEIGHT]!) : 1;
      if (this.options.debug) {
        await this.checkFinite(compiled, { ...feeds, ...buffers }, results[LOSS]!);
      }
      metrics = {};
      for (const name of Object.keys(traced.metrics ?? {})) {
        const value = await this.engine.runtime.download(results[`metric:${name}`]!);
        metrics[name] = { ...value, data: value.data.slice() };
      }
    }
    if (!(weight > 0)) {
      throw new ConfigError(
        `step: the window weighs ${weight}; nothing in it counts. Leave out batches that are padding only.`,
        { weight },
      );
    }
    const gradientNorm = await this.applyUpdate(1 / weight);
    const result = { loss: loss / weight, weight, metrics };
    return gradientNorm === undefined ? result : { ...result, gradientNorm };
  }

  /**
   * A copy of everything that the next step depends on, except the batches themselves. Loading it
   * into a step made from the same options continues bit for bit.
   */
  async save(): Promise<TrainState> {
    const tensors: Record<string, HostTensor> = {};
    for (const v of this.all()) tensors[v.name] = await this.variables.read(v.tensor);
    return { step: this.stepCount, batches: this.batchCount, tensors };
  }

  /**
   * Restores a saved state.
   * @throws ConfigError, before anything changes, when the variables do not match
   */
  async load(state: TrainState): Promise<void> {
    const all = this.all();
    checkState(state, all);
    for (const v of all) await this.variables.write(v.tensor, state.tensors[v.name]!);
    this.stepCount = state.step;
    this.batchCount = state.batches;
  }

  /** Names of variables that the update program overwrites without a second buffer. */
  get updatedInPlace(): string[] {
    return this.update!.updatedInPlace;
  }

  /** Frees all device memory of the step. */
  free(): void {
    this.variables.free();
    this.update?.free();
  }

  private all(): Named[] {
    return [...this.options.parameters, ...this.options.buffers, ...this.state];
  }

  private gradientProgram(batch: Batch, accumulate: boolean): Promise<GradientProgram> {
    const signature = Object.entries(batch)
      .map(([name, t]) => `${name}:${formatType(t)}`)
      .sort()
      .join(';');
    const id = `${accumulate}|${signature}`;
    let program = this.programs.get(id);
    if (!program) {
      program = this.compileGradients(batch, accumulate);
      program.catch(() => this.programs.delete(id));
      this.programs.set(id, program);
    }
    return program;
  }

  private async compileGradients(batch: Batch, accumulate: boolean): Promise<GradientProgram> {
    const { parameters, trace, constants } = this.options;
    const placeholders = Object.fromEntries(
      Object.entries(batch).map(([name, t]) => [name, input(name, t.dtype, t.shape)] as const),
    );
    const traced = trace(placeholders, this.key);
    const wrt = parameters.map((p) => p.tensor);
    const { loss } = traced;
    const gradients = vjp([loss], [scalarLike(loss, 1)], wrt);
    const updates = new Map(traced.updates);
    for (const [i, g] of gradients.entries()) {
      const buffer = this.gradientInputs[i]!;
      updates.set(buffer, accumulate ? add(buffer, g) : g);
    }
    const outputs: Record<string, Tensor> = { [LOSS]: loss };
    if (traced.weight) outputs[WEIGHT] = traced.weight;
    for (const [name, t] of Object.entries(traced.metrics ?? {})) outputs[`metric:${name}`] = t;
    const program = await StatefulProgram.compile(
      this.engine,
      this.variables,
      outputs,
      updates,
      constants ? { constants } : {},
    );
    return { program, traced, gradients };
  }

  private async compileUpdate(): Promise<void> {
    const { parameters, clip = {} } = this.options;
    const states = new Map(this.state.map((v) => [v.name, v.tensor] as const));
    const { outputs, updates, scalars } = updateGraph(
      parameters.map(({ name, tensor }, i) => ({
        parameter: tensor,
        gradient: this.gradientInputs[i]!,
        optimizer: this.optimizers[i]!,
        stateOf: (key) => states.get(stateName(name, key))!,
      })),
      clip,
    );
    this.updateScalars = scalars;
    this.update = await StatefulProgram.compile(this.engine, this.variables, outputs, updates);
  }

  private async applyUpdate(scale: number): Promise<number | undefined> {
    const results = await this.update!.run(this.updateScalars(this.stepCount + 1, scale));
    this.stepCount++;
    return results.norm && readScalar(this.engine, results.norm);
  }

  /** Buffers as they are, by placeholder: the run that is looked into again has moved them. */
  private async bufferValues(): Promise<Record<string, HostTensor>> {
    const values: Record<string, HostTensor> = {};
    for (const { tensor } of this.options.buffers) {
      values[inputName(tensor)!] = await this.variables.read(tensor);
    }
    return values;
  }

  private async checkFinite(
    { traced, gradients }: GradientProgram,
    feeds: Readonly<Record<string, HostTensor>>,
    loss: DeviceTensor,
  ): Promise<void> {
    const { engine, variables } = this;
    for (const tensor of [loss, ...this.gradientInputs.map((t) => variables.buffer(t))]) {
      const value = await engine.runtime.download(tensor);
      if (toNumbers(value).every(Number.isFinite)) continue;
      await locateNonFinite(
        engine,
        [traced.loss, ...gradients],
        { ...variables.feeds(), ...feeds },
        {
          constants: this.options.constants ?? new Map(),
          names: new Map(this.all().map((v) => [inputName(v.tensor)!, v.name] as const)),
        },
      );
    }
  }
}

function scalarLike(like: Tensor, value: number): Tensor {
  return reshape(scalar(value, like.dtype as DType), like.shape);
}
