/** Training a Unigram tokenizer, as SentencePiece's. */
import { ConfigError } from '../../errors.js';
import { checkVocabularySize, countPieces, firstIds } from './count-pieces.js';
import type { JsonObject } from './fields.js';
import { templateProcessing } from './from-vocabulary-files.js';
import { repeatedSubstrings } from './seed-pieces.js';
import { type UnigramPieces, unigramLattice } from './unigram-lattice.js';

/** What a Unigram is trained for. */
export interface TrainUnigramOptions {
  /** Entries, special tokens among them. */
  readonly vocabularySize: number;
  /** They get the first ids; default `<pad>`, `</s>`, `<unk>` as T5's. `<unk>` must be among them. */
  readonly specialTokens?: readonly string[];
}

/** Characters of the longest piece; SentencePiece's default. */
const MAX_PIECE_LENGTH = 16;
/** Candidates at the start; SentencePiece's default. */
const MAX_SEEDS = 1_000_000;
/** Share of the candidates that survives a round, and EM steps of a round; SentencePiece's defaults. */
const SHRINK = 0.75;
const STEPS = 2;
/** Pieces that are expected less often than this go. */
const MIN_EXPECTED = 0.5;

type Words = ReadonlyMap<string, number>;

/** The derivative of log gamma, by recurrence and its asymptotic series (Abramowitz & Stegun 6.3.18). */
function digamma(x: number): number {
  let result = 0;
  let at = x;
  for (; at < 7; at++) result -= 1 / at;
  const y = at - 0.5;
  const s = 1 / (y * y);
  return result + Math.log(y) + s * (1 / 24 - s * (7 / 960 - s * (31 / 8064 - s * (127 / 30720))));
}

/** All characters and the heaviest repeated substrings, weights as log probabilities. */
function seeds(words: Words): UnigramPieces {
  const chars = new Map<string, number>();
  for (const [word, count] of words) {
    for (const char of word) chars.set(char, (chars.get(char) ?? 0) + count);
  }
  const singles = [...chars]
    .map(([piece, weight]) => ({ piece, weight }))
    .sort((a, b) => b.weight - a.weight || (a.piece < b.piece ? 1 : -1));
  const repeated = repeatedSubstrings(words.keys(), MAX_PIECE_LENGTH);
  const all = [...singles, ...repeated.slice(0, Math.max(0, MAX_SEEDS - singles.length))];
  const total = Math.log(all.reduce((sum, { weight }) => sum + weight, 0));
  return {
    pieces: all.map(({ piece }) => piece),
    scores: all.map(({ weight }) => Math.log(weight) - total),
  };
}

/**
 * One step of expectation maximisation. The digamma function in the place of the logarithm makes it
 * the variational one, which favours few pieces (Liang and Klein 2007, "Structured Bayesian
 * Nonparametric Models with Variational Inference").
 */
function emStep(model: UnigramPieces, words: Words): UnigramPieces {
  const lattice = unigramLattice(model);
  const expected = new Float64Array(model.pieces.length);
  for (const [word, count] of words) lattice.addExpected(word, count, expected);
  const pieces: string[] = [];
  const kept: number[] = [];
  let sum = 0;
  expected.forEach((count, i) => {
    if (count < MIN_EXPECTED) return;
    pieces.push(model.pieces[i]!);
    kept.push(count);
    sum += count;
  });
  const total = digamma(sum);
  return { pieces, scores: kept.map((count) => digamma(count) - total) };
}

/**
 * Drops the pieces whose loss costs the least likelihood, until `target` remain. What a piece costs is
 * estimated by putting its best other spelling in its place (Kudo 2018, section 3.2).
 */
function prune(model: UnigramPieces, words: Words, target: number): UnigramPieces {
  const { pieces, scores } = model;
  const lattice = unigramLattice(model);
  const frequency = new Float64Array(pieces.length);
  const holding = new Float64Array(pieces.length);
  let texts = 0;
  for (const [word, count] of words) {
    texts += count;
    for (const id of lattice.best(word)) {
      if (id < 0) continue;
      frequency[id]! += count;
      holding[id]! += count;
    }
  }
  const sum = frequency.reduce((a, b) => a + b, 0);
  const logSum = Math.log(sum);
  const stay: number[] = [];
  const candidates: { id: number; loss: number }[] = [];
  pieces.forEach((piece, id) => {
    const other = lattice.bestOther(piece, id);
    if (other === null) {
      stay.push(id);
      return;
    }
    // Never used, and it can be spelled otherwise.
    if (frequency[id] === 0) return;
    if (other.score > scores[id]!) {
      stay.push(id);
      return;
    }
    const logHere = Math.log(frequency[id]!) - logSum;
    const logSumOther = Math.log(sum + frequency[id]! * (other.ids.length - 1));
    let logOther = 0;
    for (const alternative of other.ids) {
      const there = alternative < 0 ? 0 : frequency[alternative]!;
      logOther += Math.log(there + frequency[id]!) - logSumOther;
    }
    candidates.push({ id, loss: (holding[id]! / texts) * (logHere - logOther) });
  });
  candidates.sort((a, b) => b.loss - a.loss || a.id - b.id);
  for (const { id } of candidates) {
    if (stay.length >= target) break;
    stay.push(id);
  }
  return { pieces: stay.map((id) => pieces[id]!), scores: stay.map((id) => scores[id]!) };
}

/** Exactly `size` pieces: every character of the texts, then the others in their order. */
function finish(
  { pieces, scores }: UnigramPieces,
  chars: readonly string[],
  size: number,
): [string, number][] {
  const known = new Map(pieces.map((piece, i) => [piece, scores[i]!]));
  const lowest = scores.reduce((a, b) => Math.min(a, b), 0);
  const out = new Map<string, number>();
  let penalty = 0;
  for (const char of chars) {
    const score = known.get(char);
    out.set(char, score ?? lowest + penalty);
    // Characters that training dropped get scores that differ, so that no two paths tie.
    if (score === undefined) penalty += 1e-4;
  }
  for (const [piece, score] of known) {
    if (out.size >= size) break;
    out.set(piece, score);
  }
  return [...out].sort(([, a], [, b]) => b - a);
}

/**
 * The tokenizer.json of a Unigram that fits `texts`: many candidates, expectation maximisation, and
 * pruning until the size is reached (Kudo 2018, "Subword Regularization"), with the defaults of
 * SentencePiece. The same texts give the same tokenizer.
 * @throws ConfigError for a vocabulary smaller than special tokens and characters; DataError without
 * text
 */
export function trainUnigram(
  texts: Iterable<string>,
  { vocabularySize, specialTokens = ['<pad>', '</s>', '<unk>'] }: TrainUnigramOptions,
): JsonObject {
  checkVocabularySize(vocabularySize, specialTokens);
  const unknown = specialTokens.indexOf('<unk>');
  if (unknown < 0) {
    throw new ConfigError("A Unigram needs '<unk>' among its special tokens.", { specialTokens });
  }
  const metaspace = {
    type: 'Metaspace',
    replacement: '\u2581',
    prepend_scheme: 'always',
    split: true,
  };
  const normalizer = { type: 'NFKC' };
  const pre_tokenizer = {
    type: 'Sequence',
    pretokenizers: [{ type: 'WhitespaceSplit' }, metaspace],
  };
  const words = countPieces(texts, { normalizer, pre_tokenizer });
  const size = vocabularySize - specialTokens.length;
  const chars = [...new Set([...words.keys()].flatMap((word) => [...word]))].sort();
  if (chars.length > size) {
    throw new ConfigError(
      `The texts hold ${chars.length} different characters, more than the ${size} entries that vocabularySize leaves for them. Use a larger one.`,
      { characters: chars.length, entries: size },
    );
  }
  // A tenth more than wanted: the last step keeps all characters, and takes from the others.
  const wanted = Math.floor(vocabularySize * 1.1);
  let model = seeds(words);
  for (;;) {
    for (let step = 0; step < STEPS; step++) model = emStep(model, words);
    if (model.pieces.length <= wanted) break;
    model = prune(model, words, Math.max(wanted, Math.floor(model.pieces.length * SHRINK)));
  }
  const vocab = [
    ...specialTokens.map((token): [string, number] => [token, 0]),
    ...finish(model, chars, size),
  ];
  const end = specialTokens.indexOf('</s>');
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: firstIds(specialTokens),
    normalizer,
    pre_tokenizer,
    post_processor:
      end < 0
        ? null
        : templateProcessing([['A', 0], '</s>'], [['A', 0], '</s>', ['B', 0], '</s>'], {
            '</s>': end,
          }),
    decoder: metaspace,
    model: { type: 'Unigram', unk_id: unknown, vocab, byte_fallback: false },
  };
}
