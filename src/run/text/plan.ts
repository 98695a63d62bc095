/** What is learned from a set of texts: the task, its samples, the head that answers. */
import {
  type AnyTextDataset,
  balancedWeights,
  type PlainText,
  packBlocks,
  type QuestionSample,
  type TextProblem,
  type TextSample,
  type Tokenizer,
} from '../../data/index.js';
import { RecordFile } from '../../data/index.node.js';
import { ConfigError } from '../../errors.js';
import type { LoadTextOptions } from '../../models/index.js';
import {
  causalLanguageModeling,
  leadingTokens,
  maskedLanguageModeling,
  multiLabelClassification,
  promptedText,
  type QuestionWindow,
  questionAnswering,
  questionWindows,
  type ScoreRange,
  scoreRange,
  sentenceSimilarity,
  singleLabelClassification,
  specialToken,
  type TextTask,
  type TokenBlock,
  textRegression,
  textToText,
  tokenClassification,
} from '../../tasks/index.js';
import { isLazy } from '../../util/index.js';
import type { FitChoices } from '../options.js';
import type { TextBase } from './base.js';
import { checkFits } from './check-choices.js';
import { type Learned, learnedFrom } from './learned.js';

/** The kind of data that a head for classes of texts learns, by transformers' name of its problem. */
export const TEXT_KINDS = {
  single_label_classification: 'single-label',
  multi_label_classification: 'multi-label',
  regression: 'regression',
} as const satisfies Record<NonNullable<LoadTextOptions['problem']>, TextProblem>;

/** Samples of the parts. */
export interface TextParts<S extends TextSample = TextSample> {
  readonly train: readonly S[];
  readonly valid: readonly S[];
  readonly test: readonly S[];
}

/** A task with the samples that it reads. */
export interface TextPlan {
  // Each task reads its own kind of sample, which the plan pairs it with.
  readonly task: TextTask<TextSample, unknown>;
  readonly parts: TextParts;
  readonly head: Pick<LoadTextOptions, 'head' | 'labels' | 'problem'>;
  /** What samples are called, in the plural. */
  readonly unit: string;
  /** What the model must know of its training data to answer. */
  readonly learned: Learned;
  /** Scores of the training data that are no cosines, and stand for cosines of 0 and 1. */
  readonly scores?: ScoreRange | undefined;
}

function planOf<S extends TextSample, T>(
  task: TextTask<S, T>,
  parts: TextParts<S>,
  unit: string,
  labels?: readonly string[],
  problem?: LoadTextOptions['problem'],
  learned: Learned = {},
): TextPlan {
  return {
    task: task as unknown as TextTask<TextSample, unknown>,
    parts,
    head: {
      head: task.head,
      ...(labels ? { labels } : {}),
      ...(problem === undefined ? {} : { problem }),
    },
    unit,
    learned,
  };
}

/** Texts one after the other, cut into blocks of a fixed number of tokens. */
function blocksOf(
  texts: readonly PlainText[],
  tokenizer: Tokenizer,
  length: number,
  wrap: Omit<LanguageTask, 'task'>,
  part: string,
): TokenBlock[] {
  const room = length - wrap.before.length - wrap.after.length;
  const end = documentEnd(tokenizer);
  const documents = texts.map(({ text }) => [
    ...wrap.lead,
    ...tokenizer.ids(text, { addSpecialTokens: false }),
  ]);
  return [...packBlocks(documents, { length: room, end })].map(({ ids, weights }, i) => {
    // What fills the last block is no text.
    const own = ids.subarray(0, weights.filter((w) => w > 0).length);
    return {
      id: `${part}, block ${i + 1}`,
      ids: Int32Array.from([...wrap.before, ...own, ...wrap.after]),
    };
  });
}

/** The task of a language model, what stands before each document, and what around each block of text. */
export interface LanguageTask {
  readonly task: TextTask<TokenBlock, null>;
  readonly lead: readonly number[];
  readonly before: readonly number[];
  readonly after: readonly number[];
}

/** @throws ConfigError when the tokenizer lacks what the objective needs */
export function languageTask(
  { objective, labelSmoothing = 0 }: Partial<FitChoices>,
  { definition, tokenizer, config }: TextBase,
): LanguageTask {
  const chosen = objective ?? (definition.kind === 'decoder' ? 'clm' : 'mlm');
  if (chosen === 'clm') {
    const lead = leadingTokens(tokenizer);
    return { task: causalLanguageModeling({ labelSmoothing }), lead, before: [], after: [] };
  }
  const { cls, sep } = tokenizer.special;
  const task = maskedLanguageModeling({
    maskToken: specialToken(tokenizer, 'mask'),
    vocabularySize: Math.min(tokenizer.vocabularySize, config.vocabularySize),
    specialTokens: new Set(Object.values(tokenizer.special)),
    labelSmoothing,
  });
  return {
    task,
    lead: [],
    before: cls === undefined ? [] : [cls],
    after: sep === undefined ? [] : [sep],
  };
}

/** What ends a document among others. */
export function documentEnd({ special }: Tokenizer): number {
  const end = special.eos ?? special.sep;
  if (end !== undefined) return end;
  throw new ConfigError('The tokenizer has neither an eos nor a sep token to end a document with.');
}

function planLanguage(
  { train, valid, test }: TextParts<PlainText>,
  choices: FitChoices,
  base: TextBase,
  maxTokens: number,
): TextPlan {
  const { task, ...wrap } = languageTask(choices, base);
  const made = (texts: readonly PlainText[], part: string) =>
    blocksOf(texts, base.tokenizer, maxTokens, wrap, part);
  const parts = {
    train: made(train, 'train'),
    valid: made(valid, 'valid'),
    test: made(test, 'test'),
  };
  return planOf(task, parts, 'blocks');
}

/** Windows of all samples; those of samples on disk lie on disk as well. */
function windowsOf(
  samples: readonly QuestionSample[],
  windows: (sample: QuestionSample) => readonly QuestionWindow[],
): readonly QuestionWindow[] {
  if (!isLazy(samples)) return samples.flatMap(windows);
  const stored = new RecordFile<QuestionWindow>();
  for (const sample of samples) for (const window of windows(sample)) stored.append(window);
  return stored.list();
}

/** What a decoder is taught to end a completion with. @throws ConfigError when nothing names a token for it */
export function endToken({ config, tokenizer }: Pick<TextBase, 'config' | 'tokenizer'>): number {
  return config.eosTokens[0] ?? specialToken(tokenizer, 'eos');
}

/**
 * The plan for a data set and a base.
 * @param known what a model that is trained already has learned; absent: what the training part of the data teaches
 * @throws ConfigError when the base cannot do what the data asks for
 */
export function planText(
  dataset: AnyTextDataset,
  choices: FitChoices,
  base: TextBase,
  maxTokens: number,
  known?: Learned,
): TextPlan {
  const { classes } = dataset;
  const { labelSmoothing } = choices;
  checkFits(dataset, choices);
  if (dataset.kind === 'single-label') {
    const classWeights =
      choices.classWeights === 'balanced'
        ? balancedWeights(
            dataset.train.map((s) => s.label),
            classes.length,
          )
        : undefined;
    const task = singleLabelClassification({
      classes: classes.length,
      labelSmoothing,
      classWeights,
    });
    return planOf(task, dataset, 'texts', classes, 'single_label_classification');
  }
  if (dataset.kind === 'multi-label') {
    const task = multiLabelClassification({ classes: classes.length });
    return planOf(task, dataset, 'texts', classes, 'multi_label_classification');
  }
  if (dataset.kind === 'regression') {
    return planOf(textRegression(), dataset, 'texts', ['score'], 'regression');
  }
  if (dataset.kind === 'tags') {
    return planOf(tokenClassification(classes, { labelSmoothing }), dataset, 'sentences', classes);
  }
  if (dataset.kind === 'plain') return planLanguage(dataset, choices, base, maxTokens);
  if (dataset.kind === 'similar') {
    const { kind, modelType } = base.definition;
    if (kind === 'encoder-decoder') {
      throw new ConfigError(
        `sentence-similarity needs an encoder such as bert, or a decoder; ${base.path} is a ${modelType}, which reads two texts at a time. Choose one with --base.`,
        { task: 'sentence-similarity', modelType },
        'no-head',
      );
    }
    const scored = dataset.train.every((s) => s.score !== undefined);
    // A model that is trained already is only asked, and its scores are ranks.
    const range = scored && !known ? scoreRange(dataset.train.map((s) => s.score!)) : null;
    const plan = planOf(
      sentenceSimilarity(scored, { range, pooling: base.pooling() }),
      dataset,
      'pairs',
    );
    return range ? { ...plan, scores: range } : plan;
  }
  if (dataset.kind === 'pairs') {
    const { definition, config } = base;
    const { decoderStartToken, eosTokens } = config;
    const [eos] = eosTokens;
    if (definition.kind === 'decoder') {
      return planOf(
        promptedText({ endToken: endToken(base), prefix: choices.prefix, labelSmoothing }),
        dataset,
        'pairs',
      );
    }
    if (definition.kind !== 'encoder-decoder' || decoderStartToken === null || eos === undefined) {
      throw new ConfigError(
        `${dataset.task} needs an encoder-decoder such as t5, bart or marian, or a decoder such as gpt2; ${base.path} is a ${definition.modelType}. Choose one with --base.`,
        { task: dataset.task, modelType: definition.modelType },
        'no-head',
      );
    }
    const task = textToText({
      name: dataset.task as 'translation',
      decoderStart: decoderStartToken,
      endToken: eos,
      prefix: choices.prefix,
      labelSmoothing,
    });
    return planOf(task, dataset, 'pairs');
  }
  const windows = (samples: readonly QuestionSample[]) =>
    windowsOf(samples, (sample) => questionWindows(sample, base.tokenizer, maxTokens));
  const { train, valid, test } = dataset;
  const parts = { train: windows(train), valid: windows(valid), test: windows(test) };
  const learned = known ?? learnedFrom(dataset);
  return planOf(questionAnswering(learned), parts, 'windows', undefined, undefined, learned);
}
