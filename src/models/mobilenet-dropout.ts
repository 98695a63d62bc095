/** What both MobileNets of transformers share: TensorFlow's heritage in two of their numbers. */

/**
 * Chance to drop before the last layer. TensorFlow's models state the chance to *keep* (0.999, 0.8),
 * and transformers' defaults repeat it as a chance to drop, with which no head could be trained. A
 * value above one half is read as what it was.
 */
export function dropoutOf(probability: number): number {
  return probability > 0.5 ? 1 - probability : probability;
}
