/** Whether the base helped: the gain over training from scratch, against the noise between seeds. */
import { ConfigError } from '../errors.js';
import { studentQuantile } from './student-t.js';

/** What the comparison says. */
export type GainVerdict =
  /** The whole interval is on the good side of zero. */
  | 'helped'
  /** The whole interval is on the bad side: negative transfer. */
  | 'hurt'
  /** The interval holds zero: seeds alone could make this difference. */
  | 'within-noise'
  /** One seed on either side: its noise is not known. */
  | 'noise-unknown';

/** Transfer gain with its interval. */
export interface TransferGain {
  /** Mean with the base minus mean from scratch, positive when the base is better. */
  readonly gain: number;
  /** Interval of the gain; NaN when the noise is not known. */
  readonly low: number;
  readonly high: number;
  readonly verdict: GainVerdict;
}

/** Mean and sample variance. */
function moments(values: readonly number[]) {
  const mean = values.reduce((sum, v) => sum + v, 0) / values.length;
  const squares = values.reduce((sum, v) => sum + (v - mean) ** 2, 0);
  return { n: values.length, mean, variance: squares / (values.length - 1) };
}

/**
 * Compares results of the same budget with a base and from scratch, one value a seed (Welch's
 * interval: the two sides may differ in spread and number).
 * @param options.higherIsBetter false for a loss or an error rate
 * @param options.level chance that the interval covers the truth
 * @throws ConfigError when a side is empty or a value is not finite
 */
export function transferGain(
  transfer: readonly number[],
  scratch: readonly number[],
  { higherIsBetter = true, level = 0.95 } = {},
): TransferGain {
  for (const [name, side] of Object.entries({ transfer, scratch })) {
    if (side.length === 0 || !side.every(Number.isFinite)) {
      throw new ConfigError(
        `transferGain: the values of ${name} are [${side.join(', ')}]; expected one finite number a seed.`,
      );
    }
  }
  const [a, b] = [moments(transfer), moments(scratch)];
  const gain = (a.mean - b.mean) * (higherIsBetter ? 1 : -1) + 0;
  if (a.n < 2 || b.n < 2) {
    return { gain, low: Number.NaN, high: Number.NaN, verdict: 'noise-unknown' };
  }
  const [va, vb] = [a.variance / a.n, b.variance / b.n];
  // Welch and Satterthwaite's degrees of freedom.
  const df = (va + vb) ** 2 / (va ** 2 / (a.n - 1) + vb ** 2 / (b.n - 1));
  const half = va + vb > 0 ? Math.sqrt(va + vb) * studentQuantile((1 + level) / 2, df) : 0;
  const [low, high] = [gain - half, gain + half];
  return { gain, low, high, verdict: low > 0 ? 'helped' : high < 0 ? 'hurt' : 'within-noise' };
}
