/** Summaries of abstracts: written by a small encoder-decoder, or picked by an encoder, beside the first sentence. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Rouges, scoreSummaries, sentencesOf, summariesIn } from './abstracts.js';
import { type Cell, type CellKey, fitArguments, runCell } from './cells.js';
import { textsOf, writeSmallBase } from './small-base.js';
import { type CurveContext, T5 } from './text-curves.js';
import { runPicks } from './text-picks.js';
import { SEEDS } from './text-sets.js';

/** Name for `--only`. */
export const SUMMARIES = 'summaries';

const FOLDER = 'scitldr';
const OPTIONS = {
  task: 'summarization',
  'max-length': 192,
  epochs: 10,
  lr: 1e-3,
  method: 'scratch',
};

/** What the models and the baseline reach. */
export interface SummaryResult {
  /** The first sentence as the summary. */
  readonly lead: Rouges;
  /** Summaries that were written, from random weights. */
  readonly cells: readonly Cell[];
  /** Sentences that were picked by the tuned encoder, and by the same network from random weights. */
  readonly tuned: readonly Cell[];
  readonly scratch: readonly Cell[];
}

/** F1 of the first sentences of the test part. */
async function leadScores(folder: string): Promise<Rouges> {
  const { test } = await summariesIn(folder);
  const first = test.map(({ source }) => sentencesOf(source)[0]!);
  return scoreSummaries(first, test);
}

/**
 * The scores, missing runs made where that is asked for; null when there are none.
 * @param encoder folder of the encoder that picks; null: nothing is picked
 */
export async function runSummaries(
  context: CurveContext,
  encoder: string | null,
): Promise<SummaryResult | null> {
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
  const picked = encoder ? await runPicks(folder, encoder, context) : { tuned: [], scratch: [] };
  if (cells.length + picked.tuned.length === 0) return null;
  return { lead: await leadScores(folder), cells, ...picked };
}
