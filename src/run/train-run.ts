/** Trains one model into a run's folder: the loop with its logs, checkpoints and kept features. */
import { mkdir, rm } from 'node:fs/promises';
import type { Engine } from '../engine/index.js';
import { findMethod } from '../methods/index.js';
import type { Weights } from '../nn/index.js';
import type { TaskDefinition } from '../tasks/index.js';
import { type Checkpoint, type TrainEvent, Trainer, type TrainResult } from '../train/index.js';
import {
  FolderCheckpoints,
  FolderFeatures,
  type LogRecord,
  MetricsLog,
  TensorBoardWriter,
} from '../train/index.node.js';
import type { FitChoices } from './options.js';
import type { RunFolder } from './run-folder.js';
import type { NamedStream, PreparedNetwork } from './workload.js';

/** What a run tells, beside what the loop tells. */
export type RunEvent =
  | TrainEvent
  | { readonly type: 'note'; readonly text: string }
  /** Bytes of a base that are here, and all that are wanted. */
  | {
      readonly type: 'download';
      readonly file: string;
      readonly bytes: number;
      readonly total: number;
    }
  /** Pictures looked at, or bytes of text, while the data is read. */
  | {
      readonly type: 'data';
      readonly done: number;
      readonly total: number;
      readonly of?: 'files' | 'texts' | 'bytes';
    };

/** Listens to a run. */
export type RunListener = (event: RunEvent) => void;

/** What a model is trained with. */
export interface TrainRunOptions {
  readonly engine: Engine;
  readonly folder: RunFolder;
  readonly choices: FitChoices;
  readonly network: PreparedNetwork;
  readonly task: TaskDefinition;
  readonly train: NamedStream;
  readonly valid: NamedStream | null;
  readonly resume: boolean;
  readonly checkpointEvery?: number | undefined;
  readonly listener: RunListener;
  readonly signal?: AbortSignal | undefined;
}

/** Numbers of a loop's events, as lines of the log. */
function recordOf(event: TrainEvent, stepsPerEpoch: number): LogRecord[] {
  if (event.type === 'step') {
    const { step, phase, loss, lr, gradientNorm } = event;
    const values = { loss, lr, ...(gradientNorm === undefined ? {} : { gradientNorm }) };
    return [{ step, epoch: step / stepsPerEpoch, phase, split: 'train', values }];
  }
  if (event.type !== 'epoch') return [];
  const { step, epoch, phase, loss, valid } = event;
  const records = [
    { step, epoch, phase, split: 'epoch', values: { loss } as Record<string, number> },
  ];
  if (valid) {
    const { logLoss, ...others } = valid;
    const values: Record<string, number> = { ...others };
    if (logLoss !== undefined) values.loss = logLoss;
    records.push({ step, epoch, phase, split: 'valid', values });
  }
  return records;
}

/** What is measured, as the run's log and for TensorBoard. */
class RunLogs {
  private readonly folder: RunFolder;
  private log: MetricsLog | undefined;
  private board: TensorBoardWriter | undefined;

  constructor(folder: RunFolder) {
    this.folder = folder;
  }

  /**
   * Writes a record. The logs are opened with the first one: what a run that could not go on has
   * written before stays as it was.
   * @param from the step that the run goes on from; what was logged after it is cut off
   */
  append(record: LogRecord, from: number | undefined): void {
    this.log ??= MetricsLog.open(this.folder.log, from);
    this.board ??= new TensorBoardWriter(
      this.folder.events,
      from === undefined ? {} : { resumeStep: from },
    );
    this.log.append(record);
    this.board.append(record);
  }

  flush(): void {
    this.log?.flush();
  }

  close(): void {
    try {
      this.log?.close();
    } finally {
      this.board?.close();
    }
  }
}

/** Checkpoints that are written once the disk has all lines of the log up to their step. */
class LoggedCheckpoints extends FolderCheckpoints {
  private readonly logs: RunLogs;

  constructor(folder: string, logs: RunLogs) {
    super(folder);
    this.logs = logs;
  }

  override async save(checkpoint: Checkpoint): Promise<void> {
    this.logs.flush();
    await super.save(checkpoint);
  }
}

/** The model that was kept, and what moved on the way. */
export interface TrainedRun extends TrainResult {
  readonly weights: Weights;
  readonly trainable: number;
  readonly total: number;
}

/** Trains; returns when the run is done or was interrupted after saving. */
export async function trainRun(options: TrainRunOptions): Promise<TrainedRun> {
  const { engine, folder, choices, network, task, train, valid, listener } = options;
  const method = findMethod(choices.method);
  const phases = method.plan({
    ...network,
    epochs: choices.epochs,
    ...(choices.lr === undefined ? {} : { lr: choices.lr }),
    ...(choices.layerDecay === undefined ? {} : { layerDecay: choices.layerDecay }),
  });
  const planned = phases.map((phase) => ({
    ...phase,
    warmup: choices.warmup ?? phase.warmup,
    schedule: choices.schedule ?? phase.schedule,
  }));
  await mkdir(folder.path, { recursive: true });
  const stepsPerEpoch = Math.ceil(Math.ceil(train.samples / train.batchSize) / choices.accumulate);
  let [trainable, total] = [0, 0];
  let from: number | undefined;
  const logs = new RunLogs(folder);
  const checkpoints = new LoggedCheckpoints(folder.checkpoints, logs);
  try {
    const trainer = new Trainer({
      ...network,
      engine,
      task,
      phases: planned,
      train,
      valid,
      optimizer: { name: choices.optimizer, weightDecay: choices.weightDecay },
      clipNorm: choices.clipNorm,
      accumulate: choices.accumulate,
      ema: choices.ema,
      patience: choices.patience,
      seed: choices.seed,
      checkpoints,
      checkpointEvery: options.checkpointEvery,
      resume: options.resume,
      features: new FolderFeatures(folder.features),
      signal: options.signal,
      listener: (event) => {
        if (event.type === 'resume') from = event.step;
        else if (event.type === 'phase') {
          trainable = Math.max(trainable, event.trainable);
          total = event.total;
        }
        for (const record of recordOf(event, stepsPerEpoch)) logs.append(record, from);
        listener(event);
      },
    });
    const result = await trainer.run();
    // They can be computed again, and are larger than the pictures.
    if (!result.interrupted) await rm(folder.features, { recursive: true, force: true });
    return { ...result, trainable, total };
  } finally {
    logs.close();
  }
}
