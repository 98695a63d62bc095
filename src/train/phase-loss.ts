/** What a phase's training step computes of a batch, and which tables it reads in few rows. */
import type { TracedLoss, Variable } from '../engine/index.js';
import { input, type Tensor } from '../graph/index.js';
import type { Phase } from '../methods/index.js';
import type { BatchTensors, Network } from '../models/index.js';
import { Context } from '../nn/index.js';
import type { TaskDefinition } from '../tasks/index.js';
import { placeholders, tracePart } from './forward.js';
import { type MovingRows, movingRows, readMoving } from './moving-rows.js';
import type { OptimizerChoice } from './optimizer-plan.js';
import type { BatchStream } from './stream.js';

/** What a loss is made of. */
export interface LossOptions {
  readonly model: Network;
  readonly phase: Phase;
  readonly task: TaskDefinition;
}

/** The loss of a batch in a phase. */
export function lossOf(
  { model, phase, task }: LossOptions,
  batch: BatchTensors,
  key: Tensor,
): TracedLoss {
  const context = new Context({ training: true, key });
  const y = tracePart(model, phase.runs, batch, context);
  return { ...task.loss(y, batch), updates: context.updates };
}

/** Everything that a training step computes of a batch. */
const outputsOf = ({ loss, weight, updates = new Map() }: TracedLoss): Tensor[] => [
  loss,
  ...(weight ? [weight] : []),
  ...updates.values(),
];

/** Tables of which only some rows move, by path. */
export function tablesOf(
  options: LossOptions & { readonly train: BatchStream; readonly optimizer: OptimizerChoice },
  parameters: readonly Variable[],
): Map<string, MovingRows> {
  const { trainingIds } = options.train;
  // Other optimizers move rows without a gradient too, or measure them. AdamW would decay them, which is
  // left out: a word that is never seen keeps its vector.
  if (!trainingIds || options.optimizer.name !== 'adamw') return new Map();
  const batch = placeholders(trainingIds.example);
  const outputs = outputsOf(lossOf(options, batch, input('@key', 'int32', [2])));
  const ids = batch[trainingIds.name]!;
  const tables = new Map<string, MovingRows>();
  for (const { name, tensor } of parameters) {
    const rows = movingRows(outputs, tensor, ids, trainingIds.ids);
    if (rows) tables.set(name, rows);
  }
  return tables;
}

/** A loss that reads tables at their moving rows. */
export function withMoving(
  traced: TracedLoss,
  tables: readonly MovingRows[],
  ids: Tensor,
): TracedLoss {
  const outputs = readMoving(outputsOf(traced), tables, ids);
  const loss = outputs.shift()!;
  const weight = traced.weight && outputs.shift();
  const updates = new Map([...(traced.updates ?? [])].map(([t], i) => [t, outputs[i]!]));
  return { ...traced, loss, ...(weight ? { weight } : {}), updates };
}
