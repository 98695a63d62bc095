/** Texts that a model writes: translations, summaries, answers to prompts; and how good they are. */
import type { TextPairSample } from '../../data/index.js';
import type { Engine } from '../../engine/index.js';
import { type GenerateOptions, type GenerativeModel, generate } from '../../generate/index.js';
import { bleu, chrf, rouge } from '../../metrics/index.js';
import type { Metrics } from '../../tasks/index.js';
import type { PartPredictions } from '../predictions.js';
import type { TextBase } from './base.js';
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

/** Tokens of a summary at most; of a translation twice the source's and a few more. */
const SUMMARY_TOKENS = 128;

/**
 * Writes a text for each prompt.
 * @param prompts ids with their special tokens
 */
export async function writeTexts(
  engine: Engine,
  { model, base: { tokenizer }, maxTokens }: Writer,
  prompts: readonly (readonly number[])[],
  options: GenerateOptions = {},
): Promise<string[]> {
  const longest = prompts.reduce((n, p) => Math.max(n, p.length), 0);
  const fits =
    model.definition.kind === 'decoder' && model.config.maxTokens !== null
      ? model.config.maxTokens - longest
      : maxTokens;
  const most = Math.max(1, Math.min(fits, options.maxNewTokens ?? 2 * longest + 10));
  const written = await generate(engine, model, prompts, { ...options, maxNewTokens: most });
  return written.map((ids) => tokenizer.decode(ids, { skipSpecialTokens: true }).trim());
}

/** BLEU and chrF of translations; ROUGE of everything else. Shares of 1 but for BLEU and chrF, as the field has them. */
export function writtenScores(
  task: string,
  answers: readonly string[],
  references: readonly (readonly string[])[],
): Metrics {
  if (task === 'translation') {
    return { bleu: bleu(answers, references).score, chrf: chrf(answers, references).score };
  }
  const of = (type: 'rouge1' | 'rouge2' | 'rougeL') =>
    rouge(answers, references, type, { stemmer: true }).f1;
  return { rouge1: of('rouge1'), rouge2: of('rouge2'), rougeL: of('rougeL') };
}

/** Answers every source of a part, and scores what was written. */
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
  const options = task.name === 'translation' ? {} : { maxNewTokens: SUMMARY_TOKENS };
  const texts = await writeTexts(engine, writer, prompts, options);
  const references = samples.map((s) => s.references ?? [s.target]);
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
