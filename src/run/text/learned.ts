/** What a model must know of the data that it learned from, kept in its `config.json`. */
import type { AnyTextDataset } from '../../data/index.js';
import type { RawConfig } from '../../models/index.js';

/** What cannot be seen in the weights. */
export interface Learned {
  /** Some questions had no answer, so that '' is an answer of the model. */
  readonly unanswerable?: boolean;
}

/** Transformers' pipeline has this name for the same choice, and the same default: an answer to every question. */
const UNANSWERABLE = 'handle_impossible_answer';

/** What the training part of a data set teaches. */
export function learnedFrom(dataset: AnyTextDataset): Learned {
  if (dataset.kind !== 'questions') return {};
  return { unanswerable: dataset.train.some(({ answers }) => answers.length === 0) };
}

/** What the `config.json` of a model says; a model from elsewhere answers every question unless it says so. */
export function learnedIn(raw: RawConfig): Learned {
  return { unanswerable: raw[UNANSWERABLE] === true };
}

/** The `config.json` of a base with what its new model has learned. */
export function withLearned(raw: RawConfig, { unanswerable }: Learned): RawConfig {
  const { [UNANSWERABLE]: _ofTheBase, ...rest } = raw;
  return unanswerable === undefined ? rest : { ...rest, [UNANSWERABLE]: unanswerable };
}
