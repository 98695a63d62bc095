/** Rotary position embeddings: the angle between a query and a key tells how far apart they stand. */
import { constantOf, hostTensor, type Tensor } from '../graph/index.js';
import { add, cast, concat, cos, mul, reshape, sin, split, sub } from '../ops/index.js';
import { ConfigFields } from './config-fields.js';
import type { RawConfig } from './define-model.js';

/** How positions are stretched for longer texts than a model was first trained on. */
export type RopeScaling =
  | { readonly type: 'linear'; readonly factor: number }
  | {
      readonly type: 'llama3';
      readonly factor: number;
      readonly lowFrequencyFactor: number;
      readonly highFrequencyFactor: number;
      /** Tokens that the model was first trained on. */
      readonly firstPositions: number;
    };

/** Angles of all positions. */
export interface RopeConfig {
  /** Base of the frequencies, which fall from 1 to nearly 1 / theta turns of a radian a token. */
  readonly theta: number;
  readonly scaling: RopeScaling | null;
}

/** The field of `raw` that describes rotary positions: `rope_scaling` up to transformers 4, then `rope_parameters`. */
function ropeField(raw: RawConfig): 'rope_scaling' | 'rope_parameters' {
  return Object.hasOwn(raw, 'rope_scaling') && raw.rope_scaling
    ? 'rope_scaling'
    : 'rope_parameters';
}

/**
 * Reads `rope_theta` with `rope_scaling`, or `rope_parameters`.
 * @param positions `max_position_embeddings`
 * @throws ConfigError naming the field for kinds of scaling that are not built
 */
export function parseRope(modelType: string, raw: RawConfig, positions: number): RopeConfig {
  const outer = new ConfigFields(modelType, raw);
  const field = ropeField(raw);
  const given = Object.hasOwn(raw, field) ? (raw[field] ?? {}) : {};
  if (typeof given !== 'object' || Array.isArray(given)) outer.fail(field, 'an object');
  const inner = { ...(given as RawConfig) };
  const fields = new ConfigFields(`${modelType} (${field})`, inner);
  // Some models turn by other angles in some of their layers.
  const nested = Object.entries(inner).find(([, value]) => typeof value === 'object' && value);
  if (nested) fields.fail(nested[0], 'a number or a word: all layers share their angles');
  const range = { min: 1, max: 1e12 };
  const theta = fields.number('rope_theta', outer.number('rope_theta', 10_000, range), range);
  // Older files say `type`.
  const kind = inner.rope_type === undefined && inner.type !== undefined ? 'type' : 'rope_type';
  const type = fields.choice(kind, ['default', 'linear', 'llama3'], 'default');
  const part = (f: ConfigFields) => f.number('partial_rotary_factor', 1, { min: 1, max: 1 });
  part(outer);
  part(fields);
  if (type === 'default') return { theta, scaling: null };
  const positive = { min: 1e-6, max: 1e6 };
  if (!fields.has('factor')) fields.fail('factor', 'a number');
  const factor = fields.number('factor', 1, positive);
  if (type === 'linear') return { theta, scaling: { type, factor } };
  const lowFrequencyFactor = fields.number('low_freq_factor', 1, positive);
  const highFrequencyFactor = fields.number('high_freq_factor', 4, positive);
  if (highFrequencyFactor <= lowFrequencyFactor) {
    fields.fail('high_freq_factor', `more than low_freq_factor, which is ${lowFrequencyFactor}`);
  }
  const firstPositions = fields.integer('original_max_position_embeddings', positions);
  return {
    theta,
    scaling: { type, factor, lowFrequencyFactor, highFrequencyFactor, firstPositions },
  };
}

/** The inverse of {@link parseRope}, in the fields that every release of transformers reads. */
export function writeRope({ theta, scaling }: RopeConfig): RawConfig {
  if (!scaling) return { rope_theta: theta, rope_scaling: null };
  const { type, factor } = scaling;
  const rest =
    type === 'llama3'
      ? {
          low_freq_factor: scaling.lowFrequencyFactor,
          high_freq_factor: scaling.highFrequencyFactor,
          original_max_position_embeddings: scaling.firstPositions,
        }
      : {};
  return { rope_theta: theta, rope_scaling: { rope_type: type, factor, ...rest } };
}

/**
 * Radians a token of each pair of channels, [size / 2].
 * Source: Su et al., "RoFormer", 2021; scaling by wavelength as in Meta's code for Llama 3.1.
 * @param size channels of a head
 */
export function ropeFrequencies(size: number, { theta, scaling }: RopeConfig): number[] {
  return Array.from({ length: size / 2 }, (_, i) => {
    const frequency = theta ** ((-2 * i) / size);
    if (!scaling) return frequency;
    const { factor } = scaling;
    if (scaling.type === 'linear') return frequency / factor;
    const { lowFrequencyFactor: low, highFrequencyFactor: high, firstPositions } = scaling;
    const turns = (firstPositions * frequency) / (2 * Math.PI);
    // Fast channels stay, slow ones are stretched, and those in between are mixed.
    const kept = Math.min(1, Math.max(0, (turns - low) / (high - low)));
    return frequency * (kept + (1 - kept) / factor);
  });
}

/** cos and sin of the angles of each token, [batch or 1, tokens, 1, size / 2]. */
export interface RopeTables {
  readonly cos: Tensor;
  readonly sin: Tensor;
}

/**
 * Made once for a forward pass and handed to every layer.
 * @param positions int32 [batch, tokens]; null counts from the left, from 0
 */
export function ropeTables(
  frequencies: readonly number[],
  positions: Tensor | null,
  tokens: number,
): RopeTables {
  const half = frequencies.length;
  if (positions) {
    const [batch] = positions.shape as [number, number];
    const column = reshape(cast(positions, 'float32'), [batch, tokens, 1, 1]);
    const angles = mul(column, constantOf(hostTensor('float32', [half], [...frequencies])));
    return { cos: cos(angles), sin: sin(angles) };
  }
  const table = (f: (angle: number) => number) => {
    const data = new Float32Array(tokens * half);
    for (const i of data.keys()) data[i] = f(Math.floor(i / half) * frequencies[i % half]!);
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
