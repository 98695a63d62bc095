/** How surprised a language model is. */
import { ConfigError } from '../errors.js';

/**
 * Perplexity: e to the mean negative log likelihood of a token.
 * @param negativeLogLikelihood natural, summed over the tokens
 * @param tokens how many were predicted
 * @throws ConfigError for no tokens, or a sum that is no number
 */
export function perplexity(negativeLogLikelihood: number, tokens: number): number {
  if (!(tokens > 0) || Number.isNaN(negativeLogLikelihood)) {
    throw new ConfigError(
      `metrics: perplexity needs tokens and the sum of their losses; got ${tokens} tokens, sum ${negativeLogLikelihood}.`,
      { negativeLogLikelihood, tokens },
    );
  }
  return Math.exp(negativeLogLikelihood / tokens);
}
