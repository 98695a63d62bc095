/** Rotary position embeddings: the angle between a query and a key tells how far apart they stand. */
import { ConfigError } from '../errors.js';
import { constantOf, hostTensor, type Tensor } from '../graph/index.js';
import { add, cast, concat, cos, mul, reshape, sin, split, sub } from '../ops/index.js';
import type { RopeConfig, YarnScaling } from './rope-config.js';

/** How far a token turns each pair of channels, and what the tables are multiplied by. */
export interface RopeAngles {
  /** Radians a token, [size / 2]. */
  readonly frequencies: readonly number[];
  /** Factor of cosines and sines. */
  readonly amplitude: number;
  /** Tokens beyond which these are not the angles; null where any number may come. */
  readonly most: number | null;
}

/**
 * Shares of the channels that keep their frequency: between two bounds they fall in a line.
 * Source: Peng et al., "YaRN: efficient context window extension", 2023; bounds and rounding as in transformers.
 */
function yarnShares(size: number, theta: number, scaling: YarnScaling): number[] {
  const { firstPositions, betaFast, betaSlow, truncate } = scaling;
  const channel = (turns: number) =>
    (size * Math.log(firstPositions / (turns * 2 * Math.PI))) / (2 * Math.log(theta));
  const [fast, slow] = [channel(betaFast), channel(betaSlow)];
  const low = Math.max(truncate ? Math.floor(fast) : fast, 0);
  const high = Math.min(truncate ? Math.ceil(slow) : slow, size - 1);
  const width = high === low ? 0.001 : high - low;
  return Array.from({ length: size / 2 }, (_, i) => 1 - clamp((i - low) / width));
}

const clamp = (x: number) => Math.min(1, Math.max(0, x));

/**
 * The angles of heads of `size` channels.
 * Source: Su et al., "RoFormer", 2021; scaling by wavelength as in Meta's code for Llama 3.1.
 */
export function ropeAngles(size: number, { theta, scaling }: RopeConfig): RopeAngles {
  const plain = Array.from({ length: size / 2 }, (_, i) => theta ** ((-2 * i) / size));
  if (!scaling) return { frequencies: plain, amplitude: 1, most: null };
  const { factor } = scaling;
  /** Fast channels stay, slow ones are stretched, and those in between are mixed. */
  const mixed = (kept: (frequency: number, i: number) => number) =>
    plain.map((frequency, i) => {
      const share = kept(frequency, i);
      return frequency * (share + (1 - share) / factor);
    });
  switch (scaling.type) {
    case 'linear':
      return { frequencies: mixed(() => 0), amplitude: 1, most: null };
    case 'dynamic':
      return { frequencies: plain, amplitude: 1, most: scaling.firstPositions };
    case 'yarn': {
      const shares = yarnShares(size, theta, scaling);
      const amplitude = scaling.attentionFactor;
      return { frequencies: mixed((_, i) => shares[i]!), amplitude, most: null };
    }
    case 'llama3': {
      const { lowFrequencyFactor: low, highFrequencyFactor: high, firstPositions } = scaling;
      const turns = (frequency: number) => (firstPositions * frequency) / (2 * Math.PI);
      const frequencies = mixed((frequency) => clamp((turns(frequency) - low) / (high - low)));
      return { frequencies, amplitude: 1, most: null };
    }
  }
}

/** cos and sin of the angles of each token, [batch or 1, tokens, 1, size / 2]. */
export interface RopeTables {
  readonly cos: Tensor;
  readonly sin: Tensor;
}

/**
 * Made once for a forward pass and handed to every layer.
 * @param positions int32 [batch, tokens]; null counts from the left, from 0
 * @throws ConfigError when the text is longer than the angles hold for: a dynamic scaling gives longer texts other
 *   angles for each length, which a padded batch does not tell and kept keys do not follow
 */
export function ropeTables(
  { frequencies, amplitude, most }: RopeAngles,
  positions: Tensor | null,
  tokens: number,
): RopeTables {
  if (most !== null && tokens > most) {
    throw new ConfigError(
      `Rotary positions of the kind 'dynamic' are built for ${most} tokens ('max_position_embeddings'), got ${tokens}. Shorten the texts, or write 'yarn' or 'linear' into config.json and tune the model.`,
      { tokens, most },
    );
  }
  const half = frequencies.length;
  if (positions) {
    const scaled = (x: Tensor) => (amplitude === 1 ? x : mul(x, amplitude));
    const [batch] = positions.shape as [number, number];
    const column = reshape(cast(positions, 'float32'), [batch, tokens, 1, 1]);
    const angles = mul(column, constantOf(hostTensor('float32', [half], [...frequencies])));
    return { cos: scaled(cos(angles)), sin: scaled(sin(angles)) };
  }
  const table = (f: (angle: number) => number) => {
    const data = new Float32Array(tokens * half);
    for (const i of data.keys())
      data[i] = amplitude * f(Math.floor(i / half) * frequencies[i % half]!);
    return constantOf(hostTensor('float32', [1, tokens, 1, half], data));
  };
  return { cos: table(Math.cos), sin: table(Math.sin) };
}

/**
 * Turns each head's channels i and i + size / 2 by the token's angle i.
 * @param x [batch, tokens, heads * size]
 */
export function rotate(x: Tensor, heads: number, { cos: c, sin: s }: RopeTables): Tensor {
  const [batch, tokens, width] = x.shape as [number, number, number];
  const split_ = reshape(x, [batch, tokens, heads, width / heads]);
  const [a, b] = split(split_, 2, -1) as [Tensor, Tensor];
  const turned = concat([sub(mul(a, c), mul(b, s)), add(mul(b, c), mul(a, s))], -1);
  return reshape(turned, [batch, tokens, width]);
}
