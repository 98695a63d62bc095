/** One phase of a run: its training step, its evaluation, and the values they share. */
import { type Engine, type TrainState, TrainStep } from '../engine/index.js';
import { ConfigError, EngineError } from '../errors.js';
import type { HostTensor, Tensor } from '../graph/index.js';
import type { Phase } from '../methods/index.js';
import type { Network } from '../models/index.js';
import { Context, variablesOf, type Weights } from '../nn/index.js';
import type { DeviceTensor } from '../runtime/index.js';
import type { Metrics, Row, TaskDefinition } from '../tasks/index.js';
import { applyPhase } from './apply-phase.js';
import { WeightAverage } from './ema.js';
import { collect, Forward, tracePart } from './forward.js';
import { type OptimizerChoice, optimizerOf } from './optimizer-plan.js';
import type { BatchStream, StreamBatch } from './stream.js';

/** What a phase is run with. */
export interface PhaseRunOptions {
  readonly engine: Engine;
  readonly model: Network;
  readonly task: TaskDefinition;
  readonly phase: Phase;
  readonly weights: Weights;
  readonly train: BatchStream;
  readonly valid: BatchStream | null;
  /** Optimizer updates of the whole phase. */
  readonly steps: number;
  readonly optimizer: OptimizerChoice;
  /** Limit of the gradient's global 2-norm. */
  readonly clipNorm: number;
  /** Decay of the average of the weights; absent: no average. */
  readonly ema: number | undefined;
  readonly seed: number;
}

/** A phase being run. */
export class PhaseRun {
  private readonly step: TrainStep;
  private readonly options: PhaseRunOptions;
  private readonly average: WeightAverage | null;
  private readonly constants: Weights;
  private evaluation: Forward | undefined;

  private constructor(
    options: PhaseRunOptions,
    step: TrainStep,
    average: WeightAverage | null,
    constants: Weights,
  ) {
    this.options = options;
    this.step = step;
    this.average = average;
    this.constants = constants;
  }

  static async create(options: PhaseRunOptions): Promise<PhaseRun> {
    const { engine, model, phase, weights, task, ema } = options;
    applyPhase(model, phase);
    const { parameters, buffers, constants } = variablesOf(model, weights);
    const step = await TrainStep.create(engine, {
      parameters,
      buffers,
      constants,
      optimizer: optimizerOf(options.optimizer, phase, options.steps),
      clip: { norm: options.clipNorm },
      seed: options.seed,
      trace: (batch, key) => {
        const context = new Context({ training: true, key });
        const y = tracePart(model, phase.runs, batch, context);
        return { ...task.loss(y, batch), updates: context.updates };
      },
    });
    const moving = new Map(
      [...parameters, ...buffers].map(({ name, tensor, value }) => [name, { tensor, value }]),
    );
    const average =
      ema === undefined ? null : await WeightAverage.create(engine, step, moving, ema);
    const fixed = new Map([...weights].filter(([path]) => !moving.has(path)));
    return new PhaseRun(options, step, average, fixed);
  }

  /**
   * One optimizer update.
   * @throws EngineError `non-finite` when the loss is no number, before it can be saved
   */
  async update(window: readonly StreamBatch[]) {
    const result = await this.step.step(window.map((b) => b.feeds));
    const { loss, gradientNorm = 0 } = result;
    if (!Number.isFinite(loss) || !Number.isFinite(gradientNorm)) {
      throw new EngineError(
        'non-finite',
        `The loss became ${loss} and the gradient's norm ${gradientNorm} at step ${this.step.steps} of phase '${this.options.phase.name}'. Lower the learning rate (--lr), and look for broken samples.`,
        { loss, gradientNorm, step: this.step.steps },
      );
    }
    await this.average?.update();
    return result;
  }

  /** Optimizer updates done in this phase. */
  get updates(): number {
    return this.step.steps;
  }

  /** Where training batches come from. */
  get train(): BatchStream {
    return this.options.train;
  }

  /** Paths of the weights and statistics that move. */
  moving(): string[] {
    return [...this.options.weights.keys()].filter((path) => !this.constants.has(path));
  }

  /**
   * Scores on the validation part; null when there is none.
   * @throws the signal's reason when it is aborted on the way
   */
  async evaluate(signal?: AbortSignal): Promise<Metrics | null> {
    const { valid, task } = this.options;
    if (!valid) return null;
    return task.score({ rows: await this.rows(valid, signal), truth: valid.truth });
  }

  /** Values of all weights; the averages when there are any and they are asked for. */
  async weights(averaged: boolean): Promise<Weights> {
    const values: Weights = new Map(this.options.weights);
    for (const path of values.keys()) {
      const tensor = this.tensorOf(path);
      if (this.step.variables.has(tensor)) {
        values.set(path, await this.step.variables.read(tensor));
      }
    }
    if (averaged && this.average) {
      for (const [path, value] of await this.average.read()) values.set(path, value);
    }
    return values;
  }

  /** The optimizer's part of the step's state, and the averages. */
  async state(): Promise<{ train: TrainState; average: Map<string, HostTensor> }> {
    return {
      train: await this.step.save(),
      average: (await this.average?.read()) ?? new Map(),
    };
  }

  /**
   * Restores a state, see {@link PhaseRun.state}.
   * @throws ConfigError when it is not a state of this phase
   */
  async restore(train: TrainState, average: ReadonlyMap<string, HostTensor>): Promise<void> {
    if (!this.average && average.size > 0) {
      throw new ConfigError('There are averages of the weights, but this run keeps none.');
    }
    await this.average?.write(average);
    await this.step.load(train);
  }

  free(): void {
    this.average?.free();
    this.step.free();
  }

  private tensorOf(path: string): Tensor {
    return this.options.model.parameters().get(path)!.tensor;
  }

  private rows(stream: BatchStream, signal: AbortSignal | undefined): Promise<Row[]> {
    const { engine, model, phase, task } = this.options;
    this.evaluation ??= new Forward(engine, model, {
      part: phase.runs,
      weights: this.constants,
      keep: task.keep,
    });
    const forward = this.evaluation;
    const weights: Record<string, DeviceTensor> = {
      ...this.step.variables.feeds(),
      ...this.average?.feeds(),
    };
    return collect(stream, ({ feeds }) => forward.run(feeds, weights), { signal });
  }
}
