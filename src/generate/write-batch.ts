/** The texts of a batch of prompts: a row each, or beams of each. */

import { hashText } from '../util/index.js';
import { BeamSearch } from './beam-search.js';
import type { DecoderShape } from './decoder-programs.js';
import type { DecoderSession } from './decoder-session.js';
import { decoderStart, fillToken, type GenerativeModel, hasEncoder } from './generative-model.js';
import type { Plan } from './options.js';
import { type Row, writeRows } from './write-rows.js';

/** A prompt, where its texts belong among the results, and how they are written. */
export interface Job {
  readonly prompt: readonly number[];
  readonly index: number;
  readonly plan: Plan;
}

/** What the decoder has read before it writes the text of a prompt. */
function decoderPrompt(prompt: readonly number[], text: GenerativeModel): readonly number[] {
  return hasEncoder(text) ? [decoderStart(text.config)] : prompt;
}

/** The rows of a session that are written, those that only fill it included. */
export function rowsOf(
  batch: readonly Job[],
  { shape: { prompts, copies } }: DecoderSession,
  text: GenerativeModel,
): Row[] {
  return Array.from({ length: prompts * copies }, (_, i) => {
    const job = batch[Math.floor(i / copies)];
    const { prompt, plan } = job ?? batch[0]!;
    return {
      prompt: decoderPrompt(prompt, text),
      // Of the prompt itself: what it is drawn does not depend on the prompts beside it.
      text: hashText(prompt.join()) + (i % copies),
      unused: job === undefined,
      plan,
    };
  });
}

/** Texts of a batch whose prompts have been read; `first` are the logits after them, [prompts, vocabulary]. */
type WriteBatch = (
  session: DecoderSession,
  batch: readonly Job[],
  first: Float32Array,
  text: GenerativeModel,
) => Promise<number[][]>;

/** Each row a text of its own. */
export const writeAll: WriteBatch = async (session, batch, first, text) => {
  const rows = rowsOf(batch, session, text);
  const texts = batch.flatMap(({ plan }) =>
    Array.from({ length: plan.numReturnSequences }, (): number[] => []),
  );
  const logits = expandRows(first, session.shape);
  const fill = fillToken(text.config);
  for await (const { row, token } of writeRows(session, rows, logits, fill)) {
    texts[row]!.push(token);
  }
  return texts;
};

/** Logits of the prompts for every text that goes on from them. */
function expandRows(first: Float32Array, { prompts, copies }: DecoderShape): Float32Array {
  if (copies === 1) return first;
  const vocabulary = first.length / prompts;
  const out = new Float32Array(first.length * copies);
  for (let row = 0; row < prompts * copies; row++) {
    const prompt = Math.floor(row / copies);
    out.set(first.subarray(prompt * vocabulary, (prompt + 1) * vocabulary), row * vocabulary);
  }
  return out;
}

/** Beams of every prompt side by side. */
export const searchBeams: WriteBatch = async (session, batch, first, text) => {
  const { numBeams } = batch[0]!.plan;
  const searches = batch.map(
    ({ prompt, plan }) => new BeamSearch(decoderPrompt(prompt, text), plan),
  );
  const next = new Int32Array(session.rows).fill(fillToken(text.config));
  const order = Int32Array.from({ length: session.rows }, (_, row) => row);
  let logits = expandRows(first, session.shape);
  for (;;) {
    const vocabulary = logits.length / session.rows;
    for (const [i, search] of searches.entries()) {
      if (search.done) continue;
      search.advance((beam) => {
        const row = i * numBeams + beam;
        return logits.subarray(row * vocabulary, (row + 1) * vocabulary);
      });
      next.set(search.lastTokens, i * numBeams);
      for (const [beam, from] of search.order.entries()) {
        order[i * numBeams + beam] = i * numBeams + (search.done ? beam : from);
      }
    }
    if (searches.every((search) => search.done)) break;
    await session.reorder(order);
    logits = await session.step(next);
  }
  return searches.flatMap((search) => search.results());
};
