/** Answers of a finished text model to texts that nobody has labelled. */
import { readFile, stat } from 'node:fs/promises';
import type { AnyTextDataset, TextKind } from '../../data/index.js';
import type { Engine } from '../../engine/index.js';
import { ConfigError, DataError } from '../../errors.js';
import { entitiesOf } from '../../metrics/index.js';
import { problemOf } from '../../models/index.js';
import {
  answersOf,
  entityScheme,
  packedRows,
  probabilitiesOf,
  questionAnswering,
  questionWindows,
  type Row,
  type TaggedTruth,
  tagsAt,
  topAnswers,
} from '../../tasks/index.js';
import type { Prediction, PredictionList } from '../apply.js';
import { checkAskedChoices } from '../asked-choices.js';
import { type EngineChoice, openEngine } from '../engine.js';
import { type Asked, answersTo, textsIn } from './asked.js';
import { fillMask } from './fill-mask.js';
import { likeness } from './likeness.js';
import { openTextRun, type TextRun } from './open-run.js';
import { planText, TEXT_KINDS } from './plan.js';
import { ReadTexts } from './read-texts.js';
import { type PlacedWord, placedWords, wordsIn } from './words.js';
import { promptsOf, type WriteChoices, writeOptions, writerOf } from './write-choices.js';
import { writeTexts, writingNotes } from './written.js';

/** Texts whose ids and logits are held at a time. */
const AT_ONCE = 16_384;

/** How a text model is asked. */
export interface PredictChoices {
  /** Classes or words that are told of; 3 by default. */
  readonly top?: number;
  /** What questions are answered from: a text, or a file of it. */
  readonly context?: string;
  /** The second text of each that is given as it is, for models of pairs. */
  readonly pair?: string;
  /** A row that cannot be answered, or a text that has to be cut, is an error. */
  readonly strict?: boolean;
}

/** What a model's head answers. */
function kindOf({ loaded }: TextRun): TextKind {
  const { headName, config } = loaded;
  if (headName === 'token-classification') return 'tags';
  return TEXT_KINDS[problemOf(config)];
}

/** Texts without labels in the shape of a data set; the labels in it are never looked at. */
function unlabelled(kind: TextKind, asked: readonly Asked[], classes: readonly string[]) {
  const samples = asked.map((one) => {
    const words = wordsOf(one).map((word) => word.text);
    return { ...one, label: 0, labels: [], score: 0, words, tags: words.map(() => 0) };
  });
  return { kind, classes, train: samples, valid: [], test: [] } as unknown as AnyTextDataset;
}

/** Words of a text, as they were given or as they are found. */
const wordsOf = ({ text, words }: Asked): PlacedWord[] =>
  words ? placedWords(words) : wordsIn(text);

/** Entities of a text, and where they stand in it. */
function entitiesIn(asked: Asked, tags: readonly string[], labels: readonly string[]) {
  const words = wordsOf(asked);
  return entitiesOf(tags, entityScheme(labels)).map((found) => {
    const [start, end] = [words[found.start]!.start, words[found.end - 1]!.end];
    return { type: found.type, text: asked.text.slice(start, end), start, end };
  });
}

function answerOf(
  kind: TextKind,
  asked: Asked,
  row: Row,
  truth: unknown,
  labels: readonly string[],
  top: number,
): Omit<Prediction, 'file' | 'text'> {
  const { values, width } = packedRows([row]);
  if (kind === 'regression') return { score: values[0]! };
  if (kind === 'multi-label') {
    const probabilities = values.map((v) => 1 / (1 + Math.exp(-v)));
    return { answers: topAnswers(probabilities, labels, width).filter((a) => a.probability > 0.5) };
  }
  if (kind === 'tags') {
    const { places } = truth as TaggedTruth;
    const outside = Math.max(0, labels.indexOf('O'));
    const tags = tagsAt(row.data, places, outside).map((tag) => labels[tag]!);
    const found = entitiesIn(asked, tags, labels);
    if (entityScheme(labels) !== 'plain') return { entities: found };
    return { tags: found.map(({ type, ...place }) => ({ tag: type, ...place })) };
  }
  return { answers: topAnswers(probabilitiesOf({ logits: values, classes: width }), labels, top) };
}

/** Texts that go on from those asked, or answer them. */
async function written(
  engine: Engine,
  run: TextRun,
  asked: readonly Asked[],
  choices: WriteChoices,
): Promise<Prediction[]> {
  const prompts = promptsOf(run, asked);
  const { budget, options } = writeOptions(choices);
  const texts = await writeTexts(engine, writerOf(run), prompts, budget, options);
  return asked.map(({ id, text }, i) => ({ file: id, text, output: texts[i]! }));
}

/** Answers to questions, each a piece of the context. */
async function answered(
  engine: Engine,
  run: TextRun,
  asked: readonly Asked[],
  context: string | undefined,
): Promise<Prediction[]> {
  if (context === undefined) {
    throw new ConfigError(
      'This model answers questions on a text. Give the text, or a file of it, by --context.',
      {},
      'usage',
    );
  }
  const isFile = (await stat(context).catch(() => null))?.isFile() === true;
  const text = isFile ? await readFile(context, 'utf8') : context;
  const task = questionAnswering();
  const windows = asked.flatMap((one) =>
    questionWindows(
      { id: one.id, question: one.text, context: text, answers: [] },
      run.base.tokenizer,
      run.maxTokens,
    ),
  );
  const { rows } = await answersTo(engine, run, task, windows);
  const answers = [...answersOf(windows, rows, run.learned).values()];
  return asked.map(({ id, text: question }, i) => ({
    file: id,
    text: question,
    output: answers[i]!,
  }));
}

/**
 * Answers texts: given as arguments, or all texts of a file.
 * @throws DataError when there is none; ConfigError when the model gives no such answers
 */
export async function predictTexts(
  run: string,
  inputs: readonly string[],
  options: EngineChoice & WriteChoices & PredictChoices,
): Promise<PredictionList> {
  const { top = 3, pair, strict = false } = options;
  const engine = await openEngine(options);
  const found = await openTextRun(run);
  const { headName } = found.loaded;
  checkAskedChoices(headName, options);
  const { pairs, wholeFiles } = found.record?.data ?? {};
  const { asked, skipped } = await textsIn(inputs, { pair, wholeFiles });
  if (strict) checkAllRead(skipped);
  checkPairs(pairs, asked);
  const read = new ReadTexts(found.base, { maxTokens: found.maxTokens, strict });
  const opened = { ...found, read };
  const predictions = await predictionsOf(engine, opened, asked, { ...options, top });
  const written = headName === 'seq2seq-lm' || headName === 'causal-lm';
  const notes = [...(written ? writingNotes(opened.loaded) : []), ...read.notes()];
  const more = notes.length > 0 ? { notes } : {};
  const several = kindOf(opened) === 'multi-label' ? { several: true } : {};
  return { run, predictions, ...several, skipped, ...read.facts(), ...more };
}

/** @throws DataError when rows of files cannot be answered */
function checkAllRead(skipped: PredictionList['skipped']): void {
  if (skipped.length === 0) return;
  const [{ file, reason }] = skipped as [PredictionList['skipped'][number]];
  throw new DataError(
    `${skipped.length} of the rows cannot be answered; ${file} ${reason}. Repair them, or leave out --strict: then they are left out.`,
    { skipped },
    { code: 'unusable-rows' },
  );
}

/**
 * @param pairs whether the model was taught on pairs of texts; undefined where it does not say
 * @throws DataError `columns` when it is asked about the other
 */
function checkPairs(pairs: boolean | undefined, asked: readonly Asked[]): void {
  const wrong = asked.find(({ text2 }) => (text2 !== undefined) !== pairs);
  if (pairs === undefined || !wrong) return;
  const where = wrong.id === 'argument' ? 'A text' : wrong.id;
  throw new DataError(
    pairs
      ? `This model was taught on pairs of texts, and ${where} is one alone. Give the second by --pair, or files with the columns text and text2.`
      : `This model was taught on single texts, and ${where} is given with a second one. Leave that out.`,
    { file: wrong.id, pairs },
    { code: 'columns' },
  );
}

async function predictionsOf(
  engine: Engine,
  opened: TextRun,
  asked: readonly Asked[],
  options: WriteChoices & PredictChoices & { readonly top: number },
): Promise<Prediction[]> {
  const { base, loaded, maxTokens } = opened;
  const { headName } = loaded;
  const { top } = options;
  if (headName === 'seq2seq-lm' || headName === 'causal-lm') {
    return written(engine, opened, asked, options);
  }
  if (headName === 'question-answering') return answered(engine, opened, asked, options.context);
  if (headName === 'base') return likeness(engine, opened, asked);
  if (headName === 'masked-lm') return fillMask(engine, opened, asked, top);
  const { labels } = loaded.config;
  const kind = kindOf(opened);
  const choices = { ...opened.choices, augment: 'none' };
  const predictions: Prediction[] = [];
  for (let at = 0; at < asked.length; at += AT_ONCE) {
    const some = asked.slice(at, at + AT_ONCE);
    const { task, parts } = planText(unlabelled(kind, some, labels), choices, base, maxTokens);
    const { rows, truth } = await answersTo(engine, opened, task, parts.train);
    for (const [i, one] of some.entries()) {
      predictions.push({
        file: one.id,
        text: one.text,
        ...(one.text2 === undefined ? {} : { text2: one.text2 }),
        ...answerOf(kind, one, rows[i]!, truth[i], labels, top),
      });
    }
  }
  return predictions;
}
