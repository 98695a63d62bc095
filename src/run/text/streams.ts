/** Texts of a plan as streams of batches. */
import { augmentText, type TextSample, textAugmentation } from '../../data/index.js';
import type { TextItem, TextTask, TextTools } from '../../tasks/index.js';
import { TextStream } from '../../train/index.js';
import { hashText, type KeyedRandom } from '../../util/index.js';
import type { FitChoices } from '../options.js';
import type { TextBase } from './base.js';
import type { TextPlan } from './plan.js';

/** Words of a sample left out and swapped, where it has a text of its own. */
function varied(
  task: TextTask<TextSample, unknown>,
  tools: TextTools,
  preset: string,
): ((sample: TextSample, random: KeyedRandom) => TextItem) | undefined {
  if (preset === 'none') return undefined;
  const augmentation = textAugmentation(preset);
  return (sample, random) => {
    const { text } = sample as TextSample & { readonly text?: string };
    if (text === undefined) return task.item(sample, tools);
    return task.item(
      { ...sample, text: augmentText(text, random, augmentation) } as TextSample,
      tools,
    );
  };
}

/**
 * A stream of some samples of a plan.
 * @param fingerprint stands for the samples
 */
export function streamOf(
  { task }: Pick<TextPlan, 'task'>,
  samples: readonly TextSample[],
  { tokenizer, definition, config }: TextBase,
  { batch, seed, augment, prefix = '' }: FitChoices,
  maxTokens: number,
  fingerprint: string,
): TextStream<TextSample, unknown> {
  const tools: TextTools = { tokenizer, maxTokens };
  const files = [...tokenizer.files(), ...(tokenizer.target?.files() ?? [])].join();
  return new TextStream({
    task,
    samples,
    items: samples.map((sample) => task.item(sample, tools)),
    batchSize: batch,
    padToken: config.padToken ?? tokenizer.special.pad ?? 0,
    inputs: definition.inputs,
    maxTokens,
    seed,
    vary: varied(task, tools, augment),
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
) {
  const stream = (part: keyof TextPlan['parts']) => {
    const samples = plan.parts[part];
    if (samples.length === 0) return null;
    return streamOf(plan, samples, base, choices, maxTokens, `${part}:${record}`);
  };
  return { train: stream('train'), valid: stream('valid'), test: stream('test') };
}
