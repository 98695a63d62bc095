/** The model BPE: byte-level (GPT-2, RoBERTa, Llama 3) and with byte fallback (Llama 2). */
import { unitsAt } from './aligned-text.js';
import {
  flagField,
  type JsonObject,
  listField,
  shown,
  textField,
  tokenizerFault,
} from './fields.js';
import { numberHeap } from './heap.js';
import { cachedTokenize, type PieceTokens, type TokenModel } from './model.js';
import { readVocabulary } from './vocabulary-table.js';

/** The symbols of a word while they are merged; `next` -1 ends it, an id of -1 marks what is gone. */
interface Symbols {
  readonly ids: number[];
  readonly starts: number[];
  readonly ends: number[];
}

interface Merges {
  /** Rank of a pair, by `left * size + right`. */
  readonly ranks: ReadonlyMap<number, number>;
  /** What the pair of each rank becomes. */
  readonly results: readonly number[];
  readonly size: number;
}

function readMerges(
  config: JsonObject,
  field: string,
  ids: ReadonlyMap<string, number>,
  prefix: string,
): Merges {
  let size = 0;
  for (const id of ids.values()) size = Math.max(size, id + 1);
  const ranks = new Map<number, number>();
  const results: number[] = [];
  listField(config.merges, `${field}.merges`).forEach((merge, rank) => {
    // Files are either [["a", "b"]] or, older, ["a b"].
    const pair = typeof merge === 'string' ? merge.split(' ') : merge;
    const name = `${field}.merges[${rank}]`;
    if (!Array.isArray(pair) || pair.length !== 2 || pair.some((p) => typeof p !== 'string')) {
      throw tokenizerFault(name, `is ${shown(merge)}; expected a pair of tokens.`);
    }
    const [left, right] = pair as [string, string];
    const joined = left + right.slice(prefix.length);
    const [a, b, result] = [left, right, joined].map((token) => {
      const id = ids.get(token);
      if (id === undefined) {
        throw tokenizerFault(name, `needs ${shown(token)}, which is not in the vocabulary.`);
      }
      return id;
    }) as [number, number, number];
    ranks.set(a * size + b, rank);
    results.push(result);
  });
  return { ranks, results, size };
}

/** Merges pairs in the order of their ranks, the leftmost first among equals. */
function mergeAll({ ids, starts, ends }: Symbols, { ranks, results, size }: Merges): PieceTokens {
  const n = ids.length;
  const previous = Int32Array.from({ length: n }, (_, i) => i - 1);
  const next = Int32Array.from({ length: n }, (_, i) => (i + 1 < n ? i + 1 : -1));
  const queue = numberHeap();
  const offer = (left: number): void => {
    const right = next[left]!;
    if (right < 0) return;
    const rank = ranks.get(ids[left]! * size + ids[right]!);
    if (rank !== undefined) queue.push(rank * n + left);
  };
  for (let i = 0; i + 1 < n; i++) offer(i);
  for (let top = queue.pop(); top !== undefined; top = queue.pop()) {
    const left = top % n;
    const right = next[left]!;
    if (ids[left]! < 0 || right < 0) continue;
    // The pair may have changed since it was queued.
    const rank = ranks.get(ids[left]! * size + ids[right]!);
    const result = results[(top - left) / n]!;
    if (rank === undefined || results[rank] !== result) continue;
    ids[left] = result;
    ends[left] = Math.max(ends[left]!, ends[right]!);
    ids[right] = -1;
    next[left] = next[right]!;
    if (next[left]! >= 0) previous[next[left]!] = left;
    if (previous[left]! >= 0) offer(previous[left]!);
    offer(left);
  }
  const out = { ids: [] as number[], starts: [] as number[], ends: [] as number[] };
  for (let i = n > 0 ? 0 : -1; i >= 0; i = next[i]!) {
    out.ids.push(ids[i]!);
    out.starts.push(starts[i]!);
    out.ends.push(ends[i]!);
  }
  return out;
}

const utf8 = new TextEncoder();

/** Ids of `<0x41>` and so on for the bytes of `text`; null when one is missing. */
export function byteTokens(ids: ReadonlyMap<string, number>, text: string): number[] | null {
  const out: number[] = [];
  for (const byte of utf8.encode(text)) {
    const id = ids.get(`<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`);
    if (id === undefined) return null;
    out.push(id);
  }
  return out;
}

/**
 * Byte-pair encoding (Sennrich et al. 2016) as Hugging Face's tokenizers applies it; dropout, which
 * only training uses, is passed over.
 * @throws WeightsError naming the field that is wrong
 */
export function readBpe(config: JsonObject, field: string): TokenModel {
  const vocabulary = readVocabulary(config.vocab, `${field}.vocab`);
  const { ids } = vocabulary;
  const text = (key: string): string =>
    config[key] == null ? '' : textField(config[key], `${field}.${key}`);
  const prefix = text('continuing_subword_prefix');
  const suffix = text('end_of_word_suffix');
  const unknownToken = text('unk_token');
  const unknown = config.unk_token == null ? undefined : ids.get(unknownToken);
  if (config.unk_token != null && unknown === undefined) {
    throw tokenizerFault(
      `${field}.unk_token`,
      `is '${unknownToken}', which is not in the vocabulary.`,
    );
  }
  const fuseUnknown = flagField(config.fuse_unk, `${field}.fuse_unk`, false);
  const byteFallback = flagField(config.byte_fallback, `${field}.byte_fallback`, false);
  const ignoreMerges = flagField(config.ignore_merges, `${field}.ignore_merges`, false);
  const merges = readMerges(config, field, ids, prefix);

  const symbolsOf = (word: string): Symbols => {
    const out: Symbols = { ids: [], starts: [], ends: [] };
    const add = (id: number, start: number, end: number): void => {
      out.ids.push(id);
      out.starts.push(start);
      out.ends.push(end);
    };
    // An unknown stretch is added when it ends.
    let lost: [start: number, end: number] | null = null;
    const flush = (): void => {
      if (lost) add(unknown!, ...lost);
      lost = null;
    };
    for (let i = 0; i < word.length; ) {
      const next = i + unitsAt(word, i);
      let symbol = word.slice(i, next);
      if (i > 0) symbol = prefix + symbol;
      if (next === word.length) symbol += suffix;
      const id = ids.get(symbol);
      if (id !== undefined) {
        flush();
        add(id, i, next);
      } else {
        const bytes = byteFallback ? byteTokens(ids, symbol) : null;
        // As in the reference, bytes do not end an unknown stretch before them.
        if (bytes) for (const byte of bytes) add(byte, i, next);
        else if (unknown !== undefined) {
          if (lost && !fuseUnknown) flush();
          lost = [lost ? (lost as [number, number])[0] : i, next];
        }
      }
      i = next;
    }
    flush();
    return out;
  };
  const tokenize = (word: string): PieceTokens => {
    const whole = ignoreMerges ? ids.get(word) : undefined;
    if (whole !== undefined) return { ids: [whole], starts: [0], ends: [word.length] };
    return mergeAll(symbolsOf(word), merges);
  };
  return { vocabulary, unknown, tokenize: cachedTokenize(tokenize) };
}
