/** Whether a classifier does better than one that guesses. */
import { ConfigError } from '../errors.js';

/** Two-sided 95 % of a normal distribution. */
const BOUND = 1.96;

/**
 * Whether answers go with the right classes at all. Where they do not, n samples give a Matthews correlation whose square is
 * chi-square over n of two classes (Cramer's phi), and less of more classes. A model that always says the same has a correlation of 0.
 * @param matthews correlation, -1 to 1
 * @param samples how many it was measured on, 1 at least
 * @throws ConfigError for less than one sample
 */
export function betterThanGuessing(matthews: number, samples: number): boolean {
  if (!(samples >= 1)) {
    throw new ConfigError(`betterThanGuessing: expected a number of samples >= 1, got ${samples}.`);
  }
  return matthews * Math.sqrt(samples) > BOUND;
}
