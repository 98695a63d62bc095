/** Texts with summaries, their sentences, and scores of what is said of them. */
import { readTextDataset } from '../../src/data/index.node.js';
import { rouge } from '../../src/metrics/index.js';

/** Scores of summaries. */
export const ROUGES = ['rouge1', 'rouge2', 'rougeL'] as const;

/** F1 of each. */
export type Rouges = Readonly<Record<(typeof ROUGES)[number], number>>;

/** A text with its summaries. */
export interface Summarized {
  readonly source: string;
  readonly references: readonly string[];
}

/** The parts of a set of texts with summaries. */
export async function summariesIn(
  folder: string,
): Promise<Readonly<Record<'train' | 'valid' | 'test', Summarized[]>>> {
  const { train, valid, test } = await readTextDataset(folder, { split: false });
  const of = (samples: readonly object[]) =>
    (samples as { source: string; target: string; references?: readonly string[] }[]).map(
      ({ source, target, references = [target] }) => ({ source, references }),
    );
  return { train: of(train), valid: of(valid), test: of(test) };
}

const segmenter = new Intl.Segmenter('en', { granularity: 'sentence' });

/** Sentences of a text. */
export function sentencesOf(text: string): string[] {
  return Array.from(segmenter.segment(text), ({ segment }) => segment.trim()).filter(Boolean);
}

/** Scores of a summary a text. */
export function scoreSummaries(summaries: readonly string[], texts: readonly Summarized[]): Rouges {
  const references = texts.map((text) => text.references);
  const of = (type: (typeof ROUGES)[number]) =>
    rouge(summaries, references, type, { stemmer: true }).f1;
  return { rouge1: of('rouge1'), rouge2: of('rouge2'), rougeL: of('rougeL') };
}
