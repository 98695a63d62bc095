/** Summaries of abstracts: a small encoder-decoder from random weights beside the first sentence of each abstract. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { readTextDataset } from '../../src/data/index.node.js';
import { rouge } from '../../src/metrics/index.js';
import { type Cell, type CellKey, fitArguments, runCell } from './cells.js';
import { textsOf, writeSmallBase } from './small-base.js';
import { type CurveContext, T5 } from './text-curves.js';
import { SEEDS } from './text-sets.js';

/** Scores of summaries. */
export const ROUGES = ['rouge1', 'rouge2', 'rougeL'] as const;

/** Name for `--only`. */
export const SUMMARIES = 'summaries';

const FOLDER = 'scitldr';
const OPTIONS = { 'max-length': 192, epochs: 10, lr: 1e-3, method: 'scratch' };

/** What the model and the baseline reach. */
export interface SummaryResult {
  /** The first sentence as the summary. */
  readonly lead: Readonly<Record<(typeof ROUGES)[number], number>>;
  readonly cells: readonly Cell[];
}

/** F1 of the first sentences of the test part. */
async function leadScores(folder: string): Promise<SummaryResult['lead']> {
  const { test } = await readTextDataset(folder, { split: false });
  const samples = test as readonly {
    readonly source: string;
    readonly target: string;
    readonly references?: readonly string[];
  }[];
  const sentences = new Intl.Segmenter('en', { granularity: 'sentence' });
  const first = samples.map(({ source }) => [...sentences.segment(source)][0]!.segment.trim());
  const references = samples.map(({ target, references: all }) => all ?? [target]);
  const of = (type: (typeof ROUGES)[number]) =>
    rouge(first, references, type, { stemmer: true }).f1;
  return { rouge1: of('rouge1'), rouge2: of('rouge2'), rougeL: of('rougeL') };
}

/** The scores, missing runs made where that is asked for; null when there are none. */
export async function runSummaries(context: CurveContext): Promise<SummaryResult | null> {
  const { data, kept, code, seeds, known, older, run, bases } = context;
  const folder = join(data, FOLDER);
  const cells: Cell[] = [];
  for (const seed of SEEDS) {
    const choices = { ...OPTIONS, seed };
    const key: CellKey = { choices, data: known(folder), start: JSON.stringify(T5), code };
    let cell = kept.read(key) ?? (older ? kept.readOlder(key) : null);
    if (!cell && run && seeds.includes(seed)) {
      const base = join(bases, `summaries-${code}`);
      if (!existsSync(base)) await writeSmallBase(base, T5, await textsOf([folder]));
      cell = await runCell(fitArguments(folder, { base, ...choices }), 'test');
      kept.write(key, cell);
      console.error(`summaries, seed ${seed}: ${JSON.stringify(cell.metrics)}`);
    }
    if (cell) cells.push(cell);
  }
  return cells.length > 0 ? { lead: await leadScores(folder), cells } : null;
}
