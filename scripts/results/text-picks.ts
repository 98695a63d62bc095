/**
 * Summaries that are one sentence of the text: an encoder learns how much of the summary each sentence says, and the
 * best one stands for the text. Beside it the same network from random weights.
 * @see Cachola et al., "TLDR: extreme summarization of scientific documents", 2020 (extractive baselines)
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { predictRun } from '../../src/run/index.node.js';
import {
  type Rouges,
  type Summarized,
  scoreSummaries,
  sentencesOf,
  summariesIn,
} from './abstracts.js';
import { type Cell, type CellKey, fitArguments, graft, readRun } from './cells.js';
import type { CurveContext } from './text-curves.js';
import { SEEDS, type TextMethod } from './text-sets.js';

const OPTIONS = { task: 'text-classification', 'max-length': 96, epochs: 2, batch: 32 };
/** As of the other sets of the table that nothing was swept for. */
const RATE = 1e-4;

/** What of a summary a sentence says, from 0 to 1: the mean of the F1 of words and of pairs of words. */
function worth(sentence: string, text: Summarized): number {
  const { rouge1, rouge2 } = scoreSummaries([sentence], [text]);
  return (rouge1 + rouge2) / 2;
}

/** A sentence with its place, which says much of how it sums up. */
const placed = (sentence: string, i: number, count: number) => `${i + 1} / ${count} : ${sentence}`;

/** Writes a table of sentences, with what each is worth. */
function writeSentences(file: string, texts: readonly Summarized[]): void {
  const rows = texts.flatMap((text) => {
    const sentences = sentencesOf(text.source);
    return sentences.map((sentence, i) =>
      JSON.stringify({ text: placed(sentence, i, sentences.length), score: worth(sentence, text) }),
    );
  });
  writeFileSync(file, `${rows.join('\n')}\n`);
}

/** ROUGE of the sentences that a run picks. */
async function scorePicks(
  run: string,
  file: string,
  texts: readonly Summarized[],
): Promise<Rouges> {
  const { predictions } = await predictRun(run, [file]);
  let at = 0;
  const picked = texts.map(({ source }) => {
    const sentences = sentencesOf(source);
    const scores = sentences.map(() => predictions[at++]!.score!);
    return sentences[scores.indexOf(Math.max(...scores))]!;
  });
  return scoreSummaries(picked, texts);
}

/** Runs of an encoder that picks sentences, missing ones made where that is asked for. */
export async function runPicks(
  folder: string,
  encoder: string,
  { kept, code, seeds, known, older, run }: CurveContext,
): Promise<Record<'tuned' | 'scratch', Cell[]>> {
  const scratch = mkdtempSync(join(tmpdir(), 'graft-picks-'));
  const data = join(scratch, 'data');
  const cellOf = async (method: TextMethod, seed: number): Promise<Cell | null> => {
    const choices = { ...OPTIONS, method, seed, ...(method === 'scratch' ? {} : { lr: RATE }) };
    const key: CellKey = { choices, data: `picks ${known(folder)}`, start: known(encoder), code };
    const before = kept.read(key) ?? (older ? kept.readOlder(key) : null);
    if (before || !run || !seeds.includes(seed)) return before;
    const { train, valid, test } = await summariesIn(folder);
    mkdirSync(data, { recursive: true });
    writeSentences(join(data, 'train.jsonl'), train);
    writeSentences(join(data, 'valid.jsonl'), valid);
    const asked = join(scratch, 'test.jsonl');
    writeSentences(asked, test);
    const out = join(scratch, `${method}-${seed}`);
    await graft(['fit', ...fitArguments(data, { base: encoder, ...choices }), '--out', out]);
    const { seconds, threads } = readRun(out);
    const cell = { metrics: { ...(await scorePicks(out, asked, test)) }, seconds, threads };
    kept.write(key, cell);
    console.error(`picked summaries, ${method}, seed ${seed}: ${JSON.stringify(cell.metrics)}`);
    return cell;
  };
  const found: Record<'tuned' | 'scratch', Cell[]> = { tuned: [], scratch: [] };
  try {
    for (const seed of SEEDS) {
      const [tuned, control] = [await cellOf('fine-tune', seed), await cellOf('scratch', seed)];
      if (tuned) found.tuned.push(tuned);
      if (control) found.scratch.push(control);
    }
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  return found;
}
