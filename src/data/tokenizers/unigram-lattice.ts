/** All ways to cut a word into pieces at once: sums and maxima over them. */
import { unitsAt } from './aligned-text.js';
import { PrefixTrie } from './prefix-trie.js';
import { UNKNOWN_PENALTY } from './unigram.js';

/** Pieces with their log probabilities. */
export interface UnigramPieces {
  readonly pieces: readonly string[];
  readonly scores: readonly number[];
}

/** What training asks of the lattice of a word. */
export interface UnigramLattice {
  /** Adds to `expected` how often each piece is expected in `count` times `word`. */
  addExpected(word: string, count: number, expected: Float64Array): void;
  /** Ids of the most likely cut; -1 for characters without piece. */
  best(word: string): number[];
  /** The most likely cut that is not the one piece `id`; null when there is none. */
  bestOther(piece: string, id: number): { ids: number[]; score: number } | null;
}

/** An edge of the lattice: a piece from one place of the word to another. */
type Visit = (start: number, end: number, id: number, score: number) => void;

/** log(exp(a) + exp(b)), without leaving the range of numbers. */
function addLogs(a: number, b: number): number {
  if (a === Number.NEGATIVE_INFINITY) return b;
  const high = Math.max(a, b);
  return high + Math.log1p(Math.exp(Math.min(a, b) - high));
}

/** The lattice of words under a model. */
export function unigramLattice({ pieces, scores }: UnigramPieces): UnigramLattice {
  const trie = new PrefixTrie(pieces.length * 2);
  pieces.forEach((piece, id) => {
    trie.add(piece, id);
  });
  const unknown = scores.reduce((a, b) => Math.min(a, b), 0) - UNKNOWN_PENALTY;

  const eachEdge = (word: string, visit: Visit): void => {
    for (let start = 0; start < word.length; ) {
      const width = unitsAt(word, start);
      let single = false;
      let node = 0;
      for (let end = start; end < word.length; ) {
        node = trie.child(node, word.charCodeAt(end++));
        if (node < 0) break;
        const id = trie.valueAt(node);
        if (id < 0) continue;
        visit(start, end, id, scores[id]!);
        if (end - start === width) single = true;
      }
      if (!single) visit(start, start + width, -1, unknown);
      start += width;
    }
  };

  const viterbi = (word: string, without: number): { ids: number[]; score: number } | null => {
    const n = word.length;
    const score = new Float64Array(n + 1).fill(Number.NEGATIVE_INFINITY);
    const from = new Int32Array(n + 1).fill(-1);
    const by = new Int32Array(n + 1).fill(-1);
    score[0] = 0;
    eachEdge(word, (start, end, id, gain) => {
      if (id === without && id >= 0 && end - start === n) return;
      const total = score[start]! + gain;
      if (total <= score[end]!) return;
      score[end] = total;
      from[end] = start;
      by[end] = id;
    });
    if (from[n]! < 0) return null;
    const ids: number[] = [];
    for (let at = n; at > 0; at = from[at]!) ids.push(by[at]!);
    return { ids: ids.reverse(), score: score[n]! };
  };

  return {
    addExpected(word, count, expected) {
      const n = word.length;
      const edges: [start: number, end: number, id: number, score: number][] = [];
      eachEdge(word, (...edge) => edges.push(edge));
      const forward = new Float64Array(n + 1).fill(Number.NEGATIVE_INFINITY);
      const backward = new Float64Array(n + 1).fill(Number.NEGATIVE_INFINITY);
      forward[0] = 0;
      backward[n] = 0;
      for (const [start, end, , score] of edges) {
        forward[end] = addLogs(forward[end]!, forward[start]! + score);
      }
      for (let i = edges.length - 1; i >= 0; i--) {
        const [start, end, , score] = edges[i]!;
        backward[start] = addLogs(backward[start]!, backward[end]! + score);
      }
      const total = forward[n]!;
      for (const [start, end, id, score] of edges) {
        if (id < 0) continue;
        expected[id]! += count * Math.exp(forward[start]! + score + backward[end]! - total);
      }
    },
    best: (word) => viterbi(word, -1)!.ids,
    bestOther: (piece, id) => viterbi(piece, id),
  };
}
