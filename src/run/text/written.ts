/** Texts that a model writes: translations, summaries, answers to prompts; and how good they are. */
import type { TextPairSample } from '../../data/index.js';
import type { Engine } from '../../engine/index.js';
import { ConfigError } from '../../errors.js';
import {
  type GenerateOptions,
  type GenerativeModel,
  generate,
  generationDefaults,
} from '../../generate/index.js';
import { bleu, chrf, rouge } from '../../metrics/index.js';
import type { Metrics } from '../../tasks/index.js';
import type { PartPredictions } from '../predictions.js';
import type { TextBase } from './base.js';
import { bleuScript } from './bleu-script.js';
import type { TextPlan } from './plan.js';

/** What was asked, what would have been right, and what was written. */
export interface WrittenAnswer {
  readonly id: string;
  readonly asked: string;
  readonly expected: string;
  readonly answer: string;
}

/** Predictions of a model that writes. */
export interface WrittenPredictions extends PartPredictions {
  readonly answers: readonly WrittenAnswer[];
}

/** A model that writes, with what turns texts into its words and back. */
export interface Writer {
  readonly model: GenerativeModel;
  readonly base: Pick<TextBase, 'tokenizer'>;
  readonly maxTokens: number;
}

/** Tokens that are written of one text at most. */
export interface Budget {
  /** What a person asks for. */
  readonly asked?: number | undefined;
  /** What is right where neither a person nor the model's files say, by the tokens of the prompt. */
  readonly usual: (promptTokens: number) => number;
  /** The model's files may lower that, not raise it: what comes out is bound to be about so long. */
  readonly firm?: boolean;
}

/** Tokens of a summary or an answer at most; of a translation twice the source's and a few more. */
const SUMMARY_TOKENS = 128;

/** The limit of each prompt: it depends on no other one. @throws ConfigError for an `asked` that is no count */
export function limitsOf(
  { model, maxTokens }: Writer,
  prompts: readonly (readonly number[])[],
  { asked, usual, firm = false }: Budget,
): number[] {
  if (asked !== undefined && !(Number.isInteger(asked) && asked >= 1)) {
    throw new ConfigError(`maxNewTokens must be a whole number from 1, got ${asked}.`, {
      maxNewTokens: asked,
    });
  }
  const { options, maxLength, minLength = 0 } = generationDefaults(model);
  const reads = model.definition.kind === 'encoder-decoder';
  // A decoder's `max_length` counts its prompt, and mostly names all the positions that there are.
  const told =
    options.maxNewTokens ?? (reads && maxLength !== undefined ? maxLength - 1 : undefined);
  return prompts.map(({ length }) => {
    const positions = reads ? null : model.config.maxTokens;
    const fits = positions === null ? maxTokens : positions - length;
    const own = firm ? Math.min(usual(length), told ?? usual(length)) : (told ?? usual(length));
    const least = options.minNewTokens ?? minLength - (reads ? 1 : length);
    return Math.max(1, Math.min(fits, asked ?? Math.max(own, least)));
  });
}

/** What there is to know of how a model's own files say that it writes, where they do. */
export function writingNotes(model: Writer['model'], scored = false): string[] {
  const { file, options, maxLength, minLength, leftOut } = generationDefaults(model);
  const { temperature, topK, topP, minP, numReturnSequences, ...kept } = options;
  const told = Object.entries({ ...kept, maxLength, minLength }).flatMap(([name, value]) =>
    typeof value === 'number'
      ? [`${name.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`)} ${value}`]
      : [],
  );
  return [
    ...(scored && told.length > 0
      ? [`answers are written as the base's ${file} says: ${told.join(', ')}`]
      : []),
    ...(leftOut.length > 0
      ? [`${file} asks for what is not known here and left out: ${leftOut.join(', ')}`]
      : []),
  ];
}

/** Text of what is written; where sources and targets have tokenizers of their own, by the targets'. */
export function decoderOf({ base: { tokenizer } }: Writer): (ids: readonly number[]) => string {
  const reader = tokenizer.target ?? tokenizer;
  return (ids) => reader.decode(ids, { skipSpecialTokens: true });
}

/**
 * Writes a text for each prompt, as the model's files say where the options do not.
 * @param prompts ids with their special tokens
 */
export async function writeTexts(
  engine: Engine,
  writer: Writer,
  prompts: readonly (readonly number[])[],
  budget: Budget,
  options: Omit<GenerateOptions, 'maxNewTokens' | 'decode'> = {},
): Promise<string[]> {
  const decode = decoderOf(writer);
  const written = await generate(engine, writer.model, prompts, {
    ...options,
    numReturnSequences: 1,
    maxNewTokens: limitsOf(writer, prompts, budget),
    decode,
  });
  return written.map((ids) => decode(ids).trim());
}

/** BLEU and chrF of translations; ROUGE of everything else. Shares of 1 but for BLEU and chrF, as the field has them. */
export function writtenScores(
  task: string,
  answers: readonly string[],
  references: readonly (readonly string[])[],
): Metrics {
  if (task === 'translation') {
    const { tokenizer } = bleuScript(references);
    return {
      bleu: bleu(answers, references, { tokenizer }).score,
      chrf: chrf(answers, references).score,
    };
  }
  const of = (type: 'rouge1' | 'rouge2' | 'rougeL') =>
    rouge(answers, references, type, { stemmer: true }).f1;
  return { rouge1: of('rouge1'), rouge2: of('rouge2'), rougeL: of('rougeL') };
}

/** References of samples: what would be right. */
export const referencesOf = (samples: readonly TextPairSample[]): readonly (readonly string[])[] =>
  samples.map((s) => s.references ?? [s.target]);

/** What there is to know of how answers are scored. */
export function scoringNotes(
  { task }: Pick<TextPlan, 'task'>,
  samples: readonly TextPairSample[],
): string[] {
  const { note } = bleuScript(referencesOf(samples));
  return task.name === 'translation' && note !== null ? [note] : [];
}

/** Answers every source of a part as the model's files say, but without drawing words, and scores what was written. */
export async function writePart(
  engine: Engine,
  writer: Writer,
  { task }: Pick<TextPlan, 'task'>,
  samples: readonly TextPairSample[],
): Promise<{ readonly metrics: Metrics; readonly answers: readonly WrittenAnswer[] }> {
  const { tokenizer } = writer.base;
  const tools = { tokenizer, maxTokens: writer.maxTokens };
  const prompts = samples.map((sample) => {
    const { ids, labels } = task.item(sample, tools);
    // A decoder's item holds the completion as well, behind as many tokens as its label says.
    return [...(writer.model.definition.kind === 'decoder' ? ids.subarray(0, labels[0]) : ids)];
  });
  const translates = task.name === 'translation';
  const budget: Budget = {
    usual: (tokens) => (translates ? 2 * tokens + 10 : SUMMARY_TOKENS),
    firm: translates || writer.model.definition.kind === 'decoder',
  };
  // Scores are the same every time: words are never drawn for them.
  const texts = await writeTexts(engine, writer, prompts, budget, { sample: false });
  const references = referencesOf(samples);
  return {
    metrics: writtenScores(task.name, texts, references),
    answers: samples.map(({ id, source, target }, i) => ({
      id,
      asked: source,
      expected: target,
      answer: texts[i]!,
    })),
  };
}
