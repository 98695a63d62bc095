/** The loop: phases, passes, steps; evaluation, best model, early stopping, checkpoints. */
import type { Engine } from '../engine/index.js';
import { ConfigError } from '../errors.js';
import type { Phase } from '../methods/index.js';
import type { ImageClassifier } from '../models/index.js';
import type { Weights } from '../nn/index.js';
import type { Metrics, TaskDefinition } from '../tasks/index.js';
import { countElements } from './apply-phase.js';
import type { TrainListener } from './events.js';
import { cacheFeatures, type FeatureStore } from './features.js';
import { type OptimizerChoice, phaseRate } from './optimizer-plan.js';
import { PhaseRun } from './phase-run.js';
import type { Best, CheckpointStore, Position } from './state.js';
import { type BatchStream, batchesOf, type StreamBatch } from './stream.js';

/** What a run is made of. */
export interface TrainerOptions {
  readonly engine: Engine;
  readonly model: ImageClassifier;
  /** Stands for the network: its type and configuration. */
  readonly structure: string;
  /** Starting values of all weights. */
  readonly weights: Weights;
  readonly isHead: (path: string) => boolean;
  readonly task: TaskDefinition;
  readonly phases: readonly Phase[];
  readonly train: BatchStream;
  /** Chooses the best model; without it the last one is taken. */
  readonly valid: BatchStream | null;
  readonly optimizer: OptimizerChoice;
  /** Limit of the gradient's global 2-norm. */
  readonly clipNorm: number;
  /** Batches whose gradients make one update. */
  readonly accumulate: number;
  /** Decay of an exponential average of the weights, e.g. 0.999. */
  readonly ema?: number | undefined;
  /** Passes without a better model after which a phase ends; absent: never. */
  readonly patience?: number | undefined;
  readonly seed: number;
  readonly checkpoints: CheckpointStore;
  /** Updates between checkpoints; one is also written after each pass. */
  readonly checkpointEvery?: number | undefined;
  /** Go on from the newest checkpoint, if there is one. */
  readonly resume?: boolean;
  readonly features?: FeatureStore | undefined;
  readonly listener?: TrainListener;
  /** Ends the run after the current step, with a checkpoint. */
  readonly signal?: AbortSignal | undefined;
}

/** How a run ended. */
export interface TrainResult {
  /** Of the best model by the validation part, or of the last one. */
  readonly weights: Weights;
  readonly best: Best | null;
  readonly steps: number;
  readonly epochs: number;
  readonly interrupted: boolean;
}

const START: Position = {
  phase: 0,
  epoch: 0,
  batch: 0,
  stepsBefore: 0,
  epochsBefore: 0,
  lossSum: 0,
  weightSum: 0,
  best: null,
  stale: 0,
};

/** Collects batches into windows of at most `size`. */
async function* windows(
  batches: AsyncIterable<StreamBatch>,
  size: number,
): AsyncGenerator<StreamBatch[]> {
  let window: StreamBatch[] = [];
  for await (const batch of batches) {
    window.push(batch);
    if (window.length === size) {
      yield window;
      window = [];
    }
  }
  if (window.length > 0) yield window;
}

/** Runs phases one after the other. Make one for each run. */
export class Trainer {
  private readonly options: TrainerOptions;
  private weights: Weights;
  private position: Position = START;
  private readonly cached = new Map<BatchStream, BatchStream>();

  constructor(options: TrainerOptions) {
    if (options.phases.length === 0) throw new ConfigError('Trainer: there is no phase to run.');
    if (options.train.samples === 0)
      throw new ConfigError('Trainer: there is no sample to train on.');
    if (!Number.isInteger(options.accumulate) || options.accumulate < 1) {
      throw new ConfigError(
        `Trainer: accumulate must be a whole number of batches >= 1, got ${options.accumulate}.`,
      );
    }
    this.options = options;
    this.weights = new Map(options.weights);
  }

  /** Trains. The same options give the same bits, resumed or straight. */
  async run(): Promise<TrainResult> {
    const { phases, checkpoints, resume, listener = () => {} } = this.options;
    const restored = resume ? await checkpoints.latest() : null;
    if (restored) {
      this.position = restored.position;
      this.weights = new Map(restored.weights);
      listener({ type: 'resume', step: restored.position.stepsBefore + restored.step });
    }
    let first = restored;
    for (let i = this.position.phase; i < phases.length; i++) {
      const run = await this.startPhase(phases[i]!);
      if (first) {
        const tensors = { ...Object.fromEntries(first.optimizer) };
        for (const path of run.moving()) tensors[path] = first.weights.get(path)!;
        await run.restore({ step: first.step, batches: first.batches, tensors }, first.average);
        first = null;
      }
      const interrupted = await this.runPhase(run, phases[i]!);
      this.weights = await run.weights(false);
      const averaged = await run.weights(true);
      const steps = this.position.stepsBefore + run.updates;
      run.free();
      await this.options.engine.release();
      if (interrupted) return this.result(averaged, steps, true);
      this.position = {
        ...this.position,
        phase: i + 1,
        epoch: 0,
        batch: 0,
        stepsBefore: steps,
        epochsBefore: this.position.epochsBefore + this.position.epoch,
        stale: 0,
      };
      if (i + 1 === phases.length) return this.result(averaged, steps, false);
    }
    // The checkpoint was written after the last phase.
    return this.result(this.weights, this.position.stepsBefore, false);
  }

  private async result(last: Weights, steps: number, interrupted: boolean): Promise<TrainResult> {
    const { best, epochsBefore, epoch } = this.position;
    const chosen = best && (await this.options.checkpoints.best());
    return { weights: chosen ?? last, best, steps, epochs: epochsBefore + epoch, interrupted };
  }

  private async startPhase(phase: Phase): Promise<PhaseRun> {
    const { options } = this;
    const { listener = () => {} } = options;
    const kept = phase.runs === 'head';
    const train = kept ? await this.keep(options.train) : options.train;
    const valid = kept && options.valid ? await this.keep(options.valid) : options.valid;
    const steps = this.stepsPerEpoch(train) * phase.epochs;
    const run = await PhaseRun.create({
      ...options,
      phase,
      weights: this.weights,
      train,
      valid,
      steps,
      ema: options.ema,
    });
    listener({
      type: 'phase',
      phase: phase.name,
      epochs: phase.epochs,
      steps,
      ...countElements(options.model),
    });
    return run;
  }

  private stepsPerEpoch(stream: BatchStream): number {
    return Math.ceil(batchesOf(stream) / this.options.accumulate);
  }

  private async keep(stream: BatchStream): Promise<BatchStream> {
    const known = this.cached.get(stream);
    if (known) return known;
    const { engine, model, isHead, structure, seed, features: store, listener } = this.options;
    const made = await cacheFeatures(stream, {
      engine,
      model,
      weights: this.weights,
      isHead,
      structure,
      seed,
      store,
      progress: (done, total) => listener?.({ type: 'features', done, total }),
    });
    this.cached.set(stream, made);
    return made;
  }

  /** Returns whether it was interrupted. */
  private async runPhase(run: PhaseRun, phase: Phase): Promise<boolean> {
    const { patience, listener = () => {} } = this.options;
    while (this.position.epoch < phase.epochs) {
      // Asked before a pass, so that a run resumed from its last checkpoint stops as well.
      if (patience !== undefined && this.position.stale >= patience) {
        const epoch = this.position.epochsBefore + this.position.epoch;
        listener({ type: 'early-stop', epoch, patience });
        return false;
      }
      if (await this.runEpoch(run, phase)) return true;
      await this.endEpoch(run, phase);
    }
    return false;
  }

  private async runEpoch(run: PhaseRun, phase: Phase): Promise<boolean> {
    const { accumulate, checkpointEvery, signal, listener = () => {} } = this.options;
    const { epoch, epochsBefore, stepsBefore } = this.position;
    const total = this.options.phases.reduce((n, p) => n + p.epochs, 0);
    const steps = this.stepsPerEpoch(run.train) * phase.epochs;
    const rate = phaseRate(phase, steps);
    const batches = run.train.read({
      epoch: epochsBefore + epoch,
      from: this.position.batch,
      training: true,
    });
    for await (const window of windows(batches, accumulate)) {
      const result = await run.update(window);
      this.position = {
        ...this.position,
        batch: this.position.batch + window.length,
        lossSum: this.position.lossSum + result.loss * result.weight,
        weightSum: this.position.weightSum + result.weight,
      };
      listener({
        type: 'step',
        phase: phase.name,
        epoch: epochsBefore + epoch + 1,
        epochs: total,
        step: stepsBefore + run.updates,
        steps: stepsBefore + steps,
        loss: result.loss,
        lr: rate(run.updates),
        ...(result.gradientNorm === undefined ? {} : { gradientNorm: result.gradientNorm }),
      });
      if (signal?.aborted) {
        await this.save(run);
        return true;
      }
      if (checkpointEvery && run.updates % checkpointEvery === 0) await this.save(run);
    }
    return false;
  }

  private async endEpoch(run: PhaseRun, phase: Phase): Promise<void> {
    const { task, checkpoints, listener = () => {} } = this.options;
    const metrics = await run.evaluate();
    const step = this.position.stepsBefore + run.updates;
    const epoch = this.position.epochsBefore + this.position.epoch + 1;
    const better = metrics !== null && isBetter(task, metrics, this.position.best);
    if (better) await checkpoints.saveBest(await run.weights(true));
    const loss = this.position.lossSum / this.position.weightSum;
    this.position = {
      ...this.position,
      epoch: this.position.epoch + 1,
      batch: 0,
      lossSum: 0,
      weightSum: 0,
      best: better ? { step, epoch, metrics } : this.position.best,
      stale: better ? 0 : this.position.stale + 1,
    };
    listener({
      type: 'epoch',
      phase: phase.name,
      epoch,
      epochs: this.options.phases.reduce((n, p) => n + p.epochs, 0),
      step,
      loss,
      valid: metrics,
      best: better,
    });
    await this.save(run);
  }

  private async save(run: PhaseRun): Promise<void> {
    const { train, average } = await run.state();
    const weights = await run.weights(false);
    const optimizer = new Map(Object.entries(train.tensors).filter(([name]) => !weights.has(name)));
    const { step, batches } = train;
    await this.options.checkpoints.save({
      position: this.position,
      step,
      batches,
      weights,
      optimizer,
      average,
    });
    this.options.listener?.({ type: 'checkpoint', step: this.position.stepsBefore + step });
  }
}

function isBetter({ primary }: TaskDefinition, metrics: Metrics, best: Best | null): boolean {
  const value = metrics[primary.metric]!;
  if (!Number.isFinite(value)) return false;
  if (!best) return true;
  const before = best.metrics[primary.metric]!;
  return primary.better === 'higher' ? value > before : value < before;
}
