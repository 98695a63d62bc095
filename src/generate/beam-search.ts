/**
 * Beam search: several texts of a prompt are followed side by side. Step for step that of transformers (5.24,
 * generation/utils.py, `_beam_search`), in float32, so that the same texts win.
 */
import type { Plan } from './options.js';
import { logChances, type Written } from './processors.js';

const { fround } = Math;
/** Score of what must not be chosen: lower than any sum of logarithms, and still a number. */
const NEVER = -1e9;

/** A text that is followed or has ended. */
interface Beam {
  readonly written: readonly number[];
  /** Sum of the logarithms of its words' chances; of ended texts divided by their length. */
  readonly score: number;
  /** The beam that it goes on from. */
  readonly from: number;
  readonly ended: boolean;
}

/** The `count` best, the best first; of equals the first. */
function best<T extends { readonly score: number }>(list: readonly T[], count: number): T[] {
  return list
    .map((item, i) => ({ item, i }))
    .sort((a, b) => b.item.score - a.item.score || a.i - b.i)
    .slice(0, count)
    .map(({ item }) => item);
}

/** The beams of one prompt. */
export class BeamSearch {
  private readonly prompt: readonly number[];
  private readonly plan: Plan;
  private running: Beam[];
  private finished: Beam[];
  /** A better text than those that have ended is still likely. */
  private improvable = true;
  private stopped = false;

  constructor(prompt: readonly number[], plan: Plan) {
    this.prompt = prompt;
    this.plan = plan;
    // All beams are the same at first: only one of them may go on.
    this.running = Array.from({ length: plan.numBeams }, (_, i) => ({
      written: [],
      score: i === 0 ? 0 : NEVER,
      from: i,
      ended: false,
    }));
    this.finished = this.running.map((beam) => ({ ...beam, score: NEVER }));
  }

  /** Whether the search is over. */
  get done(): boolean {
    return this.stopped;
  }

  /** The last word of each beam, to be fed next. */
  get lastTokens(): number[] {
    return this.running.map(({ written }) => written.at(-1)!);
  }

  /** For each beam, the one that it goes on from. */
  get order(): number[] {
    return this.running.map(({ from }) => from);
  }

  /** The best texts, the best first. */
  results(): number[][] {
    return this.finished.slice(0, this.plan.numReturnSequences).map(({ written }) => [...written]);
  }

  /**
   * One word more.
   * @param logitsOf of the next word of a beam, [vocabulary]
   */
  advance(logitsOf: (beam: number) => Float32Array): void {
    const { numBeams, eosTokens, maxNewTokens } = this.plan;
    const kept = Math.max(2, 1 + eosTokens.length) * numBeams;
    const candidates = this.continuations(logitsOf, kept).map((beam) => ({
      ...beam,
      ended: beam.written.length >= maxNewTokens || this.plan.ended(beam.written),
    }));
    this.running = best(
      candidates.map((beam) => ({
        ...beam,
        score: fround(beam.score + (beam.ended ? NEVER : 0)),
      })),
      numBeams,
    );
    this.finish(candidates);
    this.judge(candidates);
  }

  /** The `count` best words over all beams, as texts. */
  private continuations(logitsOf: (beam: number) => Float32Array, count: number): Beam[] {
    const found: { score: number; beam: number; token: number }[] = [];
    for (const [beam, { written, score }] of this.running.entries()) {
      const scores = logChances(logitsOf(beam));
      const text: Written = {
        ids: [...this.prompt, ...written],
        promptLength: this.prompt.length,
      };
      for (const processor of this.plan.processors) processor(scores, text);
      for (const token of bestWords(scores, count)) {
        found.push({ score: fround(scores[token]! + score), beam, token });
      }
    }
    return best(found, count).map(({ score, beam, token }) => ({
      written: [...this.running[beam]!.written, token],
      score,
      from: beam,
      ended: false,
    }));
  }

  /** Takes in what has just ended, where it is better than what ended before. */
  private finish(candidates: readonly Beam[]): void {
    const { numBeams, lengthPenalty, earlyStopping } = this.plan;
    const full = this.finished.every(({ ended }) => ended) && earlyStopping === true;
    const scored = candidates.map((beam, i): Beam => {
      // Those beyond the first only stand by, in case all of the first have ended.
      const ended = beam.ended && i < numBeams;
      let score = fround(beam.score / fround(beam.written.length ** lengthPenalty));
      if (full) score = fround(score + NEVER);
      if (!this.improvable) score = fround(score + NEVER);
      if (!ended) score = fround(score + NEVER);
      return { ...beam, score, ended };
    });
    // Of equals a text that has ended goes first: what nobody can write leaves places that only look taken.
    const all = [...this.finished, ...scored];
    const [over, open] = [true, false].map((is) => all.filter(({ ended }) => ended === is));
    this.finished = best([...over!, ...open!], numBeams);
  }

  /** Whether it is worth going on. */
  private judge(candidates: readonly Beam[]): void {
    const { lengthPenalty, earlyStopping, maxNewTokens } = this.plan;
    const length = this.running[0]!.written.length;
    const hypothetical = earlyStopping === 'never' && lengthPenalty > 0 ? maxNewTokens : length;
    const possible = fround(this.running[0]!.score / fround(hypothetical ** lengthPenalty));
    const worst = Math.min(...this.finished.map(({ score }) => score));
    this.improvable &&= this.finished.some(({ ended }) => possible > (ended ? worst : NEVER));
    const open = !(this.finished.every(({ ended }) => ended) && earlyStopping === true);
    this.stopped = !(this.improvable && open && candidates.some(({ ended }) => !ended));
  }
}

/** The words with the `count` best scores. */
function bestWords(scores: Float32Array, count: number): number[] {
  const words: number[] = [];
  for (let i = 0; i < scores.length; i++) {
    const score = scores[i]!;
    if (words.length === count && !(score > scores[words[count - 1]!]!)) continue;
    let at = words.length === count ? count - 1 : words.length;
    while (at > 0 && score > scores[words[at - 1]!]!) {
      words[at] = words[at - 1]!;
      at--;
    }
    words[at] = i;
  }
  return words;
}
