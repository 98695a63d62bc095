/** One phase of a run: its training step, its evaluation, and the values they share. */
import { type Engine, type TrainState, TrainStep } from '../engine/index.js';
import { ConfigError, EngineError } from '../errors.js';
import { type HostTensor, inputName, type Tensor } from '../graph/index.js';
import type { Phase } from '../methods/index.js';
import type { Network } from '../models/index.js';
import { variablesOf, type Weights } from '../nn/index.js';
import type { DeviceTensor } from '../runtime/index.js';
import type { Metrics, Row, TaskDefinition } from '../tasks/index.js';
import { applyPhase } from './apply-phase.js';
import { WeightAverage } from './ema.js';
import { collect, Forward } from './forward.js';
import { type MovingRows, putRows, takeRows } from './moving-rows.js';
import { type OptimizerChoice, optimizerOf } from './optimizer-plan.js';
import { lossOf, tablesOf, withMoving } from './phase-loss.js';
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
  /** Tables of which only some rows move, by path. */
  private readonly tables: ReadonlyMap<string, MovingRows>;
  private evaluation: Forward | undefined;

  private constructor(
    options: PhaseRunOptions,
    step: TrainStep,
    average: WeightAverage | null,
    constants: Weights,
    tables: ReadonlyMap<string, MovingRows>,
  ) {
    this.options = options;
    this.step = step;
    this.average = average;
    this.constants = constants;
    this.tables = tables;
  }

  static async create(options: PhaseRunOptions): Promise<PhaseRun> {
    const { engine, model, phase, weights, ema } = options;
    applyPhase(model, phase);
    const { parameters: whole, buffers, constants } = variablesOf(model, weights);
    const tables = tablesOf(options, whole);
    const { trainingIds } = options.train;
    const parameters = whole.map((v) => {
      const rows = tables.get(v.name);
      return rows ? { ...v, tensor: rows.moving, value: takeRows(rows, v.value) } : v;
    });
    const step = await TrainStep.create(engine, {
      parameters,
      buffers,
      constants,
      optimizer: optimizerOf(options.optimizer, phase, options.steps),
      clip: { norm: options.clipNorm },
      seed: options.seed,
      trace: (batch, key) => {
        const traced = lossOf(options, batch, key);
        if (!trainingIds || tables.size === 0) return traced;
        return withMoving(traced, [...tables.values()], batch[trainingIds.name]!);
      },
    });
    const moving = new Map(
      [...parameters, ...buffers].map(({ name, tensor, value }) => [name, { tensor, value }]),
    );
    const average =
      ema === undefined ? null : await WeightAverage.create(engine, step, moving, ema);
    const fixed = new Map([...weights].filter(([path]) => !moving.has(path)));
    return new PhaseRun(options, step, average, fixed, tables);
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
    const rows = await this.rows(valid, signal);
    // Scores go through it several times, and that of large data lies on disk.
    return task.score({ rows, truth: [...valid.truth] });
  }

  /**
   * Values of all weights; the averages when there are any and they are asked for.
   * @param read values of what moves that were read already, as in {@link PhaseRun.state}
   */
  async weights(averaged: boolean, read: TrainState['tensors'] = {}): Promise<Weights> {
    const values: Weights = new Map(this.options.weights);
    const put = (path: string, value: HostTensor) => {
      const rows = this.tables.get(path);
      values.set(path, rows ? putRows(rows, values.get(path)!, value) : value);
    };
    const averages = averaged ? await this.average?.read() : undefined;
    for (const path of this.moving()) {
      const known = averages?.get(path) ?? read[path];
      put(path, known ?? (await this.step.variables.read(this.tensorOf(path))));
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
   * Restores a state, see {@link PhaseRun.state}, but with whole weights.
   * @throws ConfigError when it is not a state of this phase
   */
  async restore(train: TrainState, average: ReadonlyMap<string, HostTensor>): Promise<void> {
    if (!this.average && average.size > 0) {
      throw new ConfigError('There are averages of the weights, but this run keeps none.');
    }
    await this.average?.write(average);
    const tensors = { ...train.tensors };
    for (const [path, rows] of this.tables) {
      const whole = tensors[path];
      if (whole) tensors[path] = takeRows(rows, whole);
    }
    await this.step.load({ ...train, tensors });
  }

  free(): void {
    this.average?.free();
    this.step.free();
  }

  /** What stands for the values of a path in the training step. */
  private tensorOf(path: string): Tensor {
    return this.tables.get(path)?.moving ?? this.options.model.parameters().get(path)!.tensor;
  }

  /** Tables with their moving rows put in, for programs that read any row. */
  private async wholeTables(): Promise<Record<string, DeviceTensor>> {
    if (this.tables.size === 0) return {};
    const { engine, weights } = this.options;
    const averages = await this.average?.read();
    const whole: Record<string, DeviceTensor> = {};
    for (const [path, rows] of this.tables) {
      const moved = averages?.get(path) ?? (await this.step.variables.read(rows.moving));
      const table = putRows(rows, weights.get(path)!, moved);
      whole[inputName(rows.table)!] = await engine.runtime.upload(table);
    }
    return whole;
  }

  private async rows(stream: BatchStream, signal: AbortSignal | undefined): Promise<Row[]> {
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
    const tables = await this.wholeTables();
    try {
      const feeds = { ...weights, ...tables };
      return await collect(stream, (batch) => forward.run(batch.feeds, feeds), { signal });
    } finally {
      for (const table of Object.values(tables)) engine.runtime.free(table);
    }
  }
}
