/** A finished run on texts, or a model's own folder, ready to answer. */
import { ConfigError } from '../../errors.js';
import { openCheckpointFolder } from '../../io/index.node.js';
import {
  isTextModelType,
  type LoadedTextModel,
  TEXT_HEADS,
  type TextHead,
} from '../../models/index.js';
import { type FitChoices, fitDefaults } from '../options.js';
import { RunFolder, type RunRecord } from '../run-folder.js';
import { loadHead, openTextFolder, type TextBase, tokenLimit } from './base.js';
import { type Learned, learnedIn } from './learned.js';
import type { ReadTexts } from './read-texts.js';

/** A text model with what it was trained for. */
export interface TextRun {
  readonly base: TextBase;
  readonly loaded: LoadedTextModel;
  readonly maxTokens: number;
  /** Those of the run; what is used by default for a model's own folder. */
  readonly choices: FitChoices;
  readonly record: RunRecord | null;
  readonly learned: Learned;
  /** Counts what is read. */
  readonly read?: ReadTexts;
}

/** The folder of a run's model, or the folder itself where it is a model. */
async function modelFolder(run: string): Promise<{ path: string; record: RunRecord | null }> {
  const own = await openCheckpointFolder(run)
    .json('config.json')
    .catch(() => null);
  if (own) return { path: run, record: null };
  const folder = new RunFolder(run);
  const record = await folder.readEnded();
  return { path: folder.model, record };
}

/** Whether a run, or a model's folder, is of texts; false for what is neither. */
export async function isTextRun(run: string): Promise<boolean> {
  try {
    const { path } = await modelFolder(run);
    return isTextModelType((await openCheckpointFolder(path).json('config.json'))?.model_type);
  } catch {
    return false; // whoever opens it says what is wrong
  }
}

/** The head that a model's `architectures` name. */
function headIn({ raw, definition, path }: TextBase): TextHead {
  const [architecture] = Array.isArray(raw.architectures) ? raw.architectures : [];
  const found = TEXT_HEADS.find((h) => definition.heads[h]?.architecture === architecture);
  if (found) return found;
  throw new ConfigError(
    `${path} does not say what its model answers: its architectures are ${JSON.stringify(raw.architectures)?.slice(0, 80)}.`,
    { path },
    'no-head',
  );
}

/** Tasks by the head that answers them; of several the most common. */
const TASKS: Readonly<Partial<Record<TextHead, FitChoices['task']>>> = {
  base: 'sentence-similarity',
  'sequence-classification': 'text-classification',
  'token-classification': 'token-classification',
  'question-answering': 'question-answering',
  'seq2seq-lm': 'translation',
};

/**
 * Opens a run or a model.
 * @throws ConfigError when there is neither, when the run has not ended, or when the model has no head
 */
export async function openTextRun(run: string): Promise<TextRun> {
  const { path, record } = await modelFolder(run);
  const base = await openTextFolder(path);
  const head = headIn(base);
  const loaded = await loadHead(base, { head });
  if (loaded.untrained.length > 0) {
    throw new ConfigError(
      `${run} is a base without a head for ${head}, so it has no answers. Adapt it first: graft fit DATA --base ${run}.`,
      { run, untrained: loaded.untrained },
      'no-head',
    );
  }
  const task = TASKS[head] ?? 'language-modeling';
  const choices = record?.choices ?? { ...fitDefaults(task), data: '' };
  const maxTokens = record?.model.maxTokens ?? tokenLimit(base, undefined);
  return { base, loaded, maxTokens, choices, record, learned: learnedIn(base.raw) };
}
