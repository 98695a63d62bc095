/** Which word comes next, by the scores of all words. */
import { KeyedRandom } from '../util/index.js';
import { chances } from './processors.js';

/** The likeliest word; of equals the first. */
export function likeliest(scores: Float32Array): number {
  let best = 0;
  for (let i = 1; i < scores.length; i++) if (scores[i]! > scores[best]!) best = i;
  return best;
}

/** Draws the words of one text: the same seed and number, which stands for the text, give the same draws. */
export function sampler(seed: number, text: number): (scores: Float32Array, at: number) => number {
  const random = KeyedRandom.of(seed).fold('generate').fold(text);
  return (scores, at) => {
    const p = chances(scores);
    let left = random.uniform(at);
    let last = 0;
    for (let i = 0; i < p.length; i++) {
      if (p[i] === 0) continue;
      last = i;
      left -= p[i]!;
      if (left < 0) return i;
    }
    // Rounding may leave a little of the last word's share.
    return last;
  };
}
