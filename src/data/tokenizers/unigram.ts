/** The model Unigram (SentencePiece): the most likely way to cut a piece. */
import { unitsAt } from './aligned-text.js';
import { byteTokens } from './bpe.js';
import {
  countField,
  flagField,
  type JsonObject,
  listField,
  shown,
  tokenizerFault,
} from './fields.js';
import { cachedTokenize, type PieceTokens, type TokenModel } from './model.js';
import { PrefixTrie } from './prefix-trie.js';

/** What an unknown character costs below the least likely entry; SentencePiece's kUnkPenalty. */
export const UNKNOWN_PENALTY = 10;

/** Entries of a Unigram vocabulary with their log probabilities. */
export interface ScoredVocabulary {
  readonly tokens: readonly string[];
  readonly scores: Float64Array;
}

/** @throws WeightsError when `value` is no list of [token, log probability] */
export function readScores(value: unknown, field: string): ScoredVocabulary {
  const list = listField(value, field);
  if (list.length === 0) throw tokenizerFault(field, 'is empty.');
  const tokens: string[] = [];
  const scores = new Float64Array(list.length);
  list.forEach((entry, i) => {
    const [token, score] = Array.isArray(entry) ? entry : [];
    if (typeof token !== 'string' || typeof score !== 'number' || !Number.isFinite(score)) {
      throw tokenizerFault(
        `${field}[${i}]`,
        `is ${shown(entry)}; expected a token and its log probability.`,
      );
    }
    tokens.push(token);
    scores[i] = score;
  });
  return { tokens, scores };
}

/** Finds the best path through the entries. */
export interface UnigramSearch {
  /** Ids and ends of the best path; unknown characters one by one, with id -1. */
  best(text: string): { ids: number[]; ends: number[] };
}

/**
 * A search over a vocabulary, or over those of its entries that are in `pieces`.
 * @see Kudo 2018, "Subword Regularization"
 */
export function unigramSearch(
  { tokens, scores }: ScoredVocabulary,
  pieces?: ReadonlySet<string>,
): UnigramSearch {
  const trie = new PrefixTrie(tokens.length * 3);
  let lowest = Number.POSITIVE_INFINITY;
  tokens.forEach((token, id) => {
    if (pieces && !pieces.has(token)) return;
    trie.add(token, id);
    lowest = Math.min(lowest, scores[id]!);
  });
  const unknownScore = lowest - UNKNOWN_PENALTY;
  return {
    best(text) {
      const n = text.length;
      const score = new Float64Array(n + 1);
      const from = new Int32Array(n + 1).fill(-1);
      const id = new Int32Array(n + 1).fill(-1);
      const offer = (start: number, end: number, entry: number, gain: number): void => {
        const total = gain + score[start]!;
        if (from[end]! >= 0 && total <= score[end]!) return;
        score[end] = total;
        from[end] = start;
        id[end] = entry;
      };
      for (let start = 0; start < n; ) {
        const width = unitsAt(text, start);
        let single = false;
        let node = 0;
        for (let end = start; end < n; ) {
          node = trie.child(node, text.charCodeAt(end++));
          if (node < 0) break;
          const entry = trie.valueAt(node);
          if (entry < 0) continue;
          offer(start, end, entry, scores[entry]!);
          if (end - start === width) single = true;
        }
        if (!single) offer(start, start + width, -1, unknownScore);
        start += width;
      }
      const ids: number[] = [];
      const ends: number[] = [];
      for (let end = n; end > 0; end = from[end]!) {
        ids.push(id[end]!);
        ends.push(end);
      }
      return { ids: ids.reverse(), ends: ends.reverse() };
    },
  };
}

/**
 * Unigram as Hugging Face's tokenizers applies it: neighbouring unknown characters are one token, or
 * bytes where the vocabulary has them.
 * @param pieces the entries that texts are cut into, where the vocabulary has more; those are found only
 * as a whole stretch of unknown characters
 * @throws WeightsError naming the field that is wrong
 */
export function readUnigram(
  config: JsonObject,
  field: string,
  pieces?: ReadonlySet<string>,
): TokenModel {
  const scored = readScores(config.vocab, `${field}.vocab`);
  const { tokens } = scored;
  const ids = new Map(tokens.map((token, id) => [token, id]));
  const byteFallback = flagField(config.byte_fallback, `${field}.byte_fallback`, false);
  const unknown = config.unk_id == null ? undefined : countField(config.unk_id, `${field}.unk_id`);
  if (unknown !== undefined && unknown >= tokens.length) {
    throw tokenizerFault(
      `${field}.unk_id`,
      `is ${unknown}, but the vocabulary has ${tokens.length} entries.`,
    );
  }
  const search = unigramSearch(scored, pieces);
  const tokenize = (piece: string): PieceTokens => {
    const path = search.best(piece);
    const out = { ids: [] as number[], starts: [] as number[], ends: [] as number[] };
    const add = (id: number, start: number, end: number): void => {
      out.ids.push(id);
      out.starts.push(start);
      out.ends.push(end);
    };
    let start = 0;
    path.ids.forEach((id, i) => {
      const end = path.ends[i]!;
      const lost = id < 0 || id === unknown;
      const next = path.ids[i + 1];
      if (lost && next !== undefined && (next < 0 || next === unknown)) return;
      if (!lost) add(id, start, end);
      else {
        const stretch = piece.slice(start, end);
        const known = ids.get(stretch);
        const bytes = known === undefined && byteFallback ? byteTokens(ids, stretch) : null;
        if (bytes) for (const byte of bytes) add(byte, start, end);
        else if (known !== undefined || unknown !== undefined) add(known ?? unknown!, start, end);
        else {
          throw tokenizerFault(
            `${field}.unk_id`,
            `is missing, but ${shown(stretch)} is not in the vocabulary.`,
          );
        }
      }
      start = end;
    });
    return out;
  };
  return { vocabulary: { ids, tokens }, unknown, tokenize: cachedTokenize(tokenize) };
}
