/** Texts of a plan as streams of batches. */
import { setImmediate } from 'node:timers/promises';
import { augmentText, type TextSample, textAugmentation } from '../../data/index.js';
import { RecordFile } from '../../data/index.node.js';
import type { TextItem, TextTask, TextTools } from '../../tasks/index.js';
import { TextStream } from '../../train/index.js';
import { hashText, isLazy, type KeyedRandom } from '../../util/index.js';
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

/** How samples become batches. */
export interface StreamContext {
  readonly base: TextBase;
  readonly choices: FitChoices;
  readonly maxTokens: number;
  /** Stands for the samples. */
  readonly fingerprint: string;
  /** Counts what becomes of them. */
  readonly read?: ReadTexts | undefined;
  /** What training reads in place of some texts. */
  readonly others?: Paraphrases | undefined;
  /** Told of the samples that are items. */
  readonly progress?: ((done: number) => void) | undefined;
}

/** Samples between two words of how far it is, in which nothing else goes on. */
const PIECE = 4096;

/** The items of samples; those of samples on disk lie on disk as well. */
async function itemsOf(
  samples: readonly TextSample[],
  item: (sample: TextSample) => TextItem,
  { read, progress }: Pick<StreamContext, 'read' | 'progress'>,
): Promise<readonly TextItem[]> {
  const stored = isLazy(samples) ? new RecordFile<TextItem>() : null;
  const held: TextItem[] = [];
  let done = 0;
  for (const sample of samples) {
    const made = item(sample);
    read?.add(made);
    if (stored) stored.append(made);
    else held.push(made);
    if (++done % PIECE > 0) continue;
    progress?.(done);
    await setImmediate();
  }
  return stored?.list() ?? held;
}

/** A stream of some samples of a plan. */
export async function streamOf(
  { task }: Pick<TextPlan, 'task'>,
  samples: readonly TextSample[],
  { base, choices, maxTokens, fingerprint, read, others, progress }: StreamContext,
): Promise<TextStream<TextSample, unknown>> {
  const { tokenizer, definition, config } = base;
  const { batch, seed, augment, prefix = '' } = choices;
  const tools: TextTools = { tokenizer, maxTokens };
  const files = [...tokenizer.files(), ...(tokenizer.target?.files() ?? [])].join();
  const items = await itemsOf(samples, (sample) => task.item(sample, tools), { read, progress });
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
export async function streamsOf(plan: TextPlan, context: StreamContext) {
  let before = 0;
  const stream = async (part: keyof TextPlan['parts']) => {
    const samples = plan.parts[part];
    if (samples.length === 0) return null;
    const fingerprint = `${part}:${context.fingerprint}`;
    const progress = (done: number) => context.progress?.(before + done);
    const made = await streamOf(plan, samples, { ...context, fingerprint, progress });
    before += samples.length;
    return made;
  };
  return {
    train: await stream('train'),
    valid: await stream('valid'),
    test: await stream('test'),
  };
}
