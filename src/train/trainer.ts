/** The loop: phases, passes, steps; evaluation, best model, early stopping, checkpoints. */
import { ConfigError } from '../errors.js';
import type { Phase } from '../methods/index.js';
import type { Weights } from '../nn/index.js';
import type { Metrics, TaskDefinition } from '../tasks/index.js';
import { countElements } from './apply-phase.js';
import { checkCheckpoint, foreignCheckpoint } from './check-checkpoint.js';
import { featureStream } from './features.js';
import { phaseRate } from './optimizer-plan.js';
import { PhaseRun } from './phase-run.js';
import type { Best, Checkpoint, Position } from './state.js';
import { type BatchStream, batchesOf, windows } from './stream.js';
import type { TrainerOptions, TrainResult } from './trainer-options.js';

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

/** Runs phases one after the other. Make one for each run. */
export class Trainer {
  private readonly options: TrainerOptions;
  private weights: Weights;
  private position: Position = START;
  /** Optimizer updates done in all phases. */
  private steps = 0;
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

  /**
   * Trains. The same options give the same bits, resumed or straight.
   * @throws WeightsError `checkpoint` when the checkpoint to go on from is not one of this run
   */
  async run(): Promise<TrainResult> {
    const { phases, checkpoints, resume, signal, listener = () => {} } = this.options;
    const restored = resume ? await checkpoints.latest() : null;
    if (restored) {
      const best = restored.position.best && (await checkpoints.best());
      checkCheckpoint(restored, best, this.options);
      this.position = restored.position;
      this.weights = new Map(restored.weights);
      this.steps = restored.position.stepsBefore + restored.step;
      listener({ type: 'resume', step: this.steps });
    }
    let first = restored;
    for (let i = this.position.phase; i < phases.length; i++) {
      let run: PhaseRun;
      try {
        run = await this.startPhase(phases[i]!);
      } catch (error) {
        // Nothing is lost: what was computed before the first step is computed again.
        if (signal?.aborted && error === signal.reason) return this.result(this.weights, true);
        throw error;
      }
      if (first) await this.restore(run, first);
      first = null;
      const interrupted = await this.runPhase(run, phases[i]!);
      this.weights = await run.weights(false);
      const averaged = await run.weights(true);
      run.free();
      // The weights moved: what was computed by them is of no use to the next phase.
      for (const features of this.cached.values()) features.free?.();
      this.cached.clear();
      await this.options.engine.release();
      if (interrupted) return this.result(averaged, true);
      this.position = {
        ...this.position,
        phase: i + 1,
        epoch: 0,
        batch: 0,
        stepsBefore: this.steps,
        epochsBefore: this.position.epochsBefore + this.position.epoch,
        stale: 0,
      };
      if (i + 1 === phases.length) return this.result(averaged, false);
    }
    // The checkpoint was written after the last phase.
    return this.result(this.weights, false);
  }

  private async restore(run: PhaseRun, checkpoint: Checkpoint): Promise<void> {
    const { step, batches, optimizer, weights, average } = checkpoint;
    const tensors = Object.fromEntries(optimizer);
    for (const path of run.moving()) tensors[path] = weights.get(path)!;
    try {
      await run.restore({ step, batches, tensors }, average);
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      throw foreignCheckpoint(error.message, error.data, error);
    }
  }

  private async result(last: Weights, interrupted: boolean): Promise<TrainResult> {
    const { best, epochsBefore, epoch } = this.position;
    const { steps } = this;
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
    const { engine, model, isHead, structure, seed, listener, signal } = this.options;
    const made = await featureStream(stream, {
      engine,
      model,
      weights: this.weights,
      isHead,
      structure,
      seed,
      store: this.options.features,
      signal,
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
      if (await this.endEpoch(run, phase)) return true;
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
      this.steps = stepsBefore + run.updates;
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
        step: this.steps,
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

  /** Returns whether it was interrupted: then the epoch is evaluated when the run goes on. */
  private async endEpoch(run: PhaseRun, phase: Phase): Promise<boolean> {
    const { task, checkpoints, signal, listener = () => {} } = this.options;
    let metrics: Metrics | null;
    try {
      metrics = await run.evaluate(signal);
    } catch (error) {
      if (!signal?.aborted || error !== signal.reason) throw error;
      await this.save(run);
      return true;
    }
    const { steps: step } = this;
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
      best: better && metrics ? { step, epoch, metrics } : this.position.best,
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
      primary: task.primary.metric,
      best: better,
    });
    await this.save(run);
    return false;
  }

  private async save(run: PhaseRun): Promise<void> {
    const { train, average } = await run.state();
    const weights = await run.weights(false, train.tensors);
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
    this.options.listener?.({ type: 'checkpoint', step: this.steps });
  }
}

function isBetter({ primary }: TaskDefinition, metrics: Metrics, best: Best | null): boolean {
  const value = metrics[primary.metric]!;
  if (!Number.isFinite(value)) return false;
  if (!best) return true;
  const before = best.metrics[primary.metric]!;
  return primary.better === 'higher' ? value > before : value < before;
}
