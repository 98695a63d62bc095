/** Whether a checkpoint belongs to the run that is to go on from it: asked before anything is touched. */
import { type ErrorData, WeightsError } from '../errors.js';
import { formatType, type TensorType } from '../graph/index.js';
import type { Phase } from '../methods/index.js';
import type { Network } from '../models/index.js';
import type { Checkpoint } from './state.js';

/** Names in a message; all of them are in its data. */
const NAMED = 5;

const CURE =
  'It was written by another run or model. Put the checkpoints of this run back, or begin a new run with another --out.';

function listed(what: string, names: readonly string[]): string {
  if (names.length === 0) return '';
  const more = names.length > NAMED ? `, ... (${names.length})` : '';
  return `\n  ${what}: ${names.slice(0, NAMED).join(', ')}${more}`;
}

/** The error for a checkpoint of something else. */
export function foreignCheckpoint(what: string, data: ErrorData, cause?: unknown): WeightsError {
  return new WeightsError(
    `The checkpoint does not fit this run: ${what}\n${CURE}`,
    data,
    cause === undefined ? { code: 'checkpoint' } : { code: 'checkpoint', cause },
  );
}

function checkTensors(file: string, found: ReadonlyMap<string, TensorType>, model: Network): void {
  const wanted = model.parameters();
  const missing = [...wanted.keys()].filter((path) => !found.has(path));
  const unexpected = [...found.keys()].filter((path) => !wanted.has(path));
  const misshapen = [...wanted].flatMap(([path, { tensor }]) => {
    const type = found.get(path);
    if (!type || formatType(type) === formatType(tensor)) return [];
    return [`${path} is ${formatType(type)} in place of ${formatType(tensor)}`];
  });
  if (missing.length + unexpected.length + misshapen.length === 0) return;
  throw foreignCheckpoint(
    `the tensors of ${file} are not those of the network.${listed('missing', missing)}${listed('not of this network', unexpected)}${listed('of another shape', misshapen)}`,
    { missing, unexpected, misshapen },
  );
}

/**
 * Compares a checkpoint, and the best model beside it, with the network and the plan of a run.
 * @param best weights of the best model; null when there are none
 * @throws WeightsError `checkpoint` listing the tensors that do not fit
 */
export function checkCheckpoint(
  { position, weights }: Checkpoint,
  best: ReadonlyMap<string, TensorType> | null,
  { model, phases }: { readonly model: Network; readonly phases: readonly Phase[] },
): void {
  checkTensors('the newest checkpoint', weights, model);
  const { phase, epoch } = position;
  const epochs = phases[phase]?.epochs;
  if (epochs === undefined || epoch > epochs) {
    throw foreignCheckpoint(
      `it stands in epoch ${epoch + 1} of phase ${phase + 1}, and the run has ${phases.map((p) => `${p.epochs} of '${p.name}'`).join(', ')}.`,
      { phase, epoch },
    );
  }
  if (!position.best) return;
  if (!best) {
    throw foreignCheckpoint(
      `it speaks of a best model in epoch ${position.best.epoch}, and best.safetensors is not there.`,
      { best: position.best },
    );
  }
  checkTensors('best.safetensors', best, model);
}
