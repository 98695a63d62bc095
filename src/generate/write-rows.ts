/** Greedy and sampled generation: each row is a text of its own. */
import { likeliest, sampler } from './choose.js';
import type { DecoderSession } from './decoder-session.js';
import type { Plan } from './options.js';

/** One row of a session that is being written. */
export interface Row {
  /** What the decoder read: the prompt, or an encoder-decoder's start token. */
  readonly prompt: readonly number[];
  /** Stands for the text; its draws depend on it. */
  readonly text: number;
  /** A row that only fills the batch is never looked at. */
  readonly unused: boolean;
  readonly plan: Plan;
}

/** A token that was just written. */
export interface NewToken {
  readonly row: number;
  readonly token: number;
  readonly ended: boolean;
}

/**
 * Writes until every text has ended. The prompts have been read.
 * @param first logits of the first word, [rows, vocabulary]
 * @param fill what rows that have ended are fed
 */
export async function* writeRows(
  session: DecoderSession,
  rows: readonly Row[],
  first: Float32Array,
  fill: number,
): AsyncGenerator<NewToken> {
  const written = rows.map((): number[] => []);
  const open = new Set(rows.flatMap((row, i) => (row.unused ? [] : [i])));
  const choosers = rows.map(({ text, plan }) =>
    plan.sample ? sampler(plan.seed, text) : likeliest,
  );
  const next = new Int32Array(rows.length);
  let logits = first;
  for (let at = 0; open.size > 0; at++) {
    const vocabulary = logits.length / rows.length;
    next.fill(fill);
    for (const row of [...open]) {
      const scores = logits.slice(row * vocabulary, (row + 1) * vocabulary);
      const { prompt, plan } = rows[row]!;
      const text = { ids: [...prompt, ...written[row]!], promptLength: prompt.length };
      for (const processor of plan.processors) processor(scores, text);
      const token = choosers[row]!(scores, at);
      next[row] = token;
      written[row]!.push(token);
      const ended = at + 1 >= plan.maxNewTokens || plan.ended(written[row]!);
      if (ended) open.delete(row);
      yield { row, token, ended };
    }
    if (open.size > 0) logits = await session.step(next);
  }
}
