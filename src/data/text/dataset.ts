/** What a set of texts holds: samples by task, parts, classes. */
import { DataError } from '../../errors.js';
import type { Skipped } from '../image.js';

/** Tasks on text, by the names of the Hugging Face hub. */
export const TEXT_TASKS = [
  'text-classification',
  'token-classification',
  'language-modeling',
  'translation',
  'summarization',
  'text-generation',
  'question-answering',
  'sentence-similarity',
] as const;

/** A task on text. */
export type TextTaskName = (typeof TEXT_TASKS)[number];

/** What labels of texts are: one class each, any number of classes, or a number to predict. */
export const TEXT_PROBLEMS = ['single-label', 'multi-label', 'regression'] as const;

/** What the labels of texts are. */
export type TextProblem = (typeof TEXT_PROBLEMS)[number];

/** Common to all samples: where one came from, for messages and reports. */
export interface TextSample {
  /** `file:line`, or `file:first-last`; the file relative to the root of the data set. */
  readonly id: string;
}

/** A text, or a pair of texts, of one class. */
export interface ClassifiedText extends TextSample {
  readonly text: string;
  readonly text2?: string;
  /** Index of the class. */
  readonly label: number;
}

/** A text, or a pair of texts, of any number of classes. */
export interface MultiLabelText extends TextSample {
  readonly text: string;
  readonly text2?: string;
  /** Indices of the classes, ascending; none is allowed. */
  readonly labels: readonly number[];
}

/** A text, or a pair of texts, with a number to predict. */
export interface ScoredText extends TextSample {
  readonly text: string;
  readonly text2?: string;
  readonly score: number;
}

/** A sentence in words, each with a tag. */
export interface TaggedWords extends TextSample {
  readonly words: readonly string[];
  /** Indices of the tags, one a word. */
  readonly tags: readonly number[];
}

/** A text and what is to be made of it: a translation, a summary, an answer. */
export interface TextPairSample extends TextSample {
  readonly source: string;
  readonly target: string;
  /** All accepted targets, `target` first, where the data has several. */
  readonly references?: readonly string[];
}

/** A text to learn the language from. */
export interface PlainText extends TextSample {
  readonly text: string;
}

/** An answer that is a piece of its context. */
export interface AnswerSpan {
  readonly text: string;
  /** Where it begins in the context, in UTF-16 units. */
  readonly start: number;
}

/** A question on a context. */
export interface QuestionSample extends TextSample {
  readonly question: string;
  readonly context: string;
  /** All accepted answers; empty where the context has none. */
  readonly answers: readonly AnswerSpan[];
}

/** Two texts, and how alike they are where the data says. Without a score they mean the same. */
export interface SimilarTexts extends TextSample {
  readonly text: string;
  readonly text2: string;
  readonly score?: number;
}

/** The sample of each kind of text data. */
export interface TextSamples {
  readonly 'single-label': ClassifiedText;
  readonly 'multi-label': MultiLabelText;
  readonly regression: ScoredText;
  readonly tags: TaggedWords;
  readonly pairs: TextPairSample;
  readonly plain: PlainText;
  readonly questions: QuestionSample;
  readonly similar: SimilarTexts;
}

/** What the rows of a data set are. */
export type TextKind = keyof TextSamples;

/** A set of texts that a model can be trained on. */
export interface TextDataset<K extends TextKind = TextKind> {
  readonly kind: K;
  readonly task: TextTaskName;
  readonly root: string;
  /** Names of classes or tags in the order of their indices; empty for kinds without any. */
  readonly classes: readonly string[];
  readonly train: readonly TextSamples[K][];
  readonly valid: readonly TextSamples[K][];
  readonly test: readonly TextSamples[K][];
  /** What was left out, and why. */
  readonly skipped: readonly Skipped[];
  /** In words: how the validation part was made. */
  readonly split: string;
  /** What else there is to know of the data, a sentence each. */
  readonly notes: readonly string[];
}

/** A data set of any kind; `kind` tells which. */
export type AnyTextDataset = { [K in TextKind]: TextDataset<K> }[TextKind];

/**
 * Positions of labels among the classes that a model knows.
 * @param labels names, one a sample
 * @param known classes in the order of their indices
 * @param where the place where a label stands first, to be put behind its name
 * @throws DataError `unknown-label`, naming all of them
 */
export function indexLabels(
  labels: readonly string[],
  known: readonly string[],
  where: (label: string) => string = () => '',
): number[] {
  const index = new Map(known.map((name, i) => [name, i]));
  const unknown = [...new Set(labels.filter((l) => !index.has(l)))];
  if (unknown.length > 0) {
    throw new DataError(
      `The data has ${unknown.length > 1 ? 'labels' : 'the label'} ${unknown.map((label) => label + where(label)).join(', ')}, which the model does not know; it knows ${known.join(', ')}. Rename or leave out these rows.`,
      { unknown, known },
      { code: 'unknown-label' },
    );
  }
  return labels.map((l) => index.get(l)!);
}
