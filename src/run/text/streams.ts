/** Texts of a plan as streams of batches. */
import { augmentText, type TextSample, textAugmentation } from '../../data/index.js';
import type { TextItem, TextTask, TextTools } from '../../tasks/index.js';
import { TextStream } from '../../train/index.js';
import { hashText, type KeyedRandom } from '../../util/index.js';
import type { FitChoices } from '../options.js';
import type { TextBase } from './base.js';
import type { TextPlan } from './plan.js';
import type { ReadTexts } from './read-texts.js';

/** Texts in other words, by the ids of their samples. */
export type Paraphrases = ReadonlyMap<string, string>;

/** How often a text is read in other words, where there are some. */
const PARAPHRASED = 0.5;

/** A sample in other words, or with words left out and swapped, where it has a text of its own. */
function varied(
  task: TextTask<TextSample, unknown>,
  tools: TextTools,
  preset: string,
  others: Paraphrases | undefined,
): ((sample: TextSample, random: KeyedRandom) => TextItem) | undefined {
  if (preset === 'none' && !others) return undefined;
  const augmentation = preset === 'none' ? null : textAugmentation(preset);
  return (sample, random) => {
    const { id, text } = sample as TextSample & { readonly text?: string };
    if (text === undefined) return task.item(sample, tools);
    const other = random.fold('paraphrase').bernoulli(0, PARAPHRASED) ? others?.get(id) : undefined;
    const said = other ?? text;
    const changed = augmentation ? augmentText(said, random, augmentation) : said;
    return task.item({ ...sample, text: changed } as TextSample, tools);
  };
}

/**
 * A stream of some samples of a plan.
 * @param fingerprint stands for the samples
 * @param others what training reads in place of some texts
 * @param read counts what becomes of them
 */
export function streamOf(
  { task }: Pick<TextPlan, 'task'>,
  samples: readonly TextSample[],
  { tokenizer, definition, config }: TextBase,
  { batch, seed, augment, prefix = '' }: FitChoices,
  maxTokens: number,
  fingerprint: string,
  others?: Paraphrases,
  read?: ReadTexts,
): TextStream<TextSample, unknown> {
  const tools: TextTools = { tokenizer, maxTokens };
  const files = [...tokenizer.files(), ...(tokenizer.target?.files() ?? [])].join();
  const items = samples.map((sample) => task.item(sample, tools));
  read?.add(items);
  return new TextStream({
    task,
    samples,
    items,
    batchSize: batch,
    padToken: config.padToken ?? tokenizer.special.pad ?? 0,
    inputs: definition.inputs,
    maxTokens,
    seed,
    vary: varied(task, tools, augment, others),
    fingerprint: `${fingerprint}:${maxTokens}:${hashText(`${prefix}|${files}`)}`,
  });
}

/** Streams of the parts; null for those that are empty. */
export function streamsOf(
  plan: TextPlan,
  base: TextBase,
  choices: FitChoices,
  maxTokens: number,
  record: string,
  others?: Paraphrases,
  read?: ReadTexts,
) {
  const stream = (part: keyof TextPlan['parts']) => {
    const samples = plan.parts[part];
    if (samples.length === 0) return null;
    return streamOf(plan, samples, base, choices, maxTokens, `${part}:${record}`, others, read);
  };
  return { train: stream('train'), valid: stream('valid'), test: stream('test') };
}
