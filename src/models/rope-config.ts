/** The fields of `config.json` that describe rotary positions. */
import { ConfigFields } from './config-fields.js';
import type { RawConfig } from './define-model.js';

/** How positions are stretched for longer texts than a model was first trained on. */
export type RopeScaling =
  | { readonly type: 'linear'; readonly factor: number }
  | {
      /** Angles of texts beyond `firstPositions` depend on how long the text is; up to there they are plain. */
      readonly type: 'dynamic';
      readonly factor: number;
      /** `max_position_embeddings` */
      readonly firstPositions: number;
    }
  | {
      readonly type: 'yarn';
      readonly factor: number;
      /** Tokens that the model was first trained on. */
      readonly firstPositions: number;
      /** Turns within `firstPositions` from which on a channel stays as it is. */
      readonly betaFast: number;
      /** Turns below which a channel is stretched by the whole factor. */
      readonly betaSlow: number;
      /** Factor of cosines and sines, so that scores are multiplied by its square. */
      readonly attentionFactor: number;
      /** Bounds between stretched and kept channels are whole numbers. */
      readonly truncate: boolean;
    }
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

/** Kinds of scaling; `longrope`, whose angles have tables of their own, is not built. */
const RULES = ['default', 'linear', 'dynamic', 'yarn', 'llama3'] as const;

const FIRST_POSITIONS = 'original_max_position_embeddings';

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
  const type = fields.choice(kind, RULES, 'default');
  const part = (f: ConfigFields) => f.number('partial_rotary_factor', 1, { min: 1, max: 1 });
  part(outer);
  part(fields);
  if (type === 'default') return { theta, scaling: null };
  const positive = { min: 1e-6, max: 1e6 };
  // Some files have it beside `rope_scaling`, which then counts.
  const owner = outer.has(FIRST_POSITIONS) ? outer : fields;
  const firstPositions = owner.integer(FIRST_POSITIONS, positions, { max: 1 << 27 });
  // YaRN's factor is how many times more positions there are, where a file gives both numbers.
  const stretched = type === 'yarn' && owner.has(FIRST_POSITIONS);
  if (!fields.has('factor') && !stretched) fields.fail('factor', 'a number');
  const factor = fields.number('factor', positions / firstPositions, positive);
  if (type === 'linear') return { theta, scaling: { type, factor } };
  if (type === 'dynamic') return { theta, scaling: { type, factor, firstPositions: positions } };
  if (type === 'yarn') {
    // Channels are counted by the logarithm of theta.
    if (theta <= 1) (fields.has('rope_theta') ? fields : outer).fail('rope_theta', 'more than 1');
    return { theta, scaling: parseYarn(fields, factor, firstPositions) };
  }
  const lowFrequencyFactor = fields.number('low_freq_factor', 1, positive);
  const highFrequencyFactor = fields.number('high_freq_factor', 4, positive);
  if (highFrequencyFactor <= lowFrequencyFactor) {
    fields.fail('high_freq_factor', `more than low_freq_factor, which is ${lowFrequencyFactor}`);
  }
  return {
    theta,
    scaling: { type, factor, lowFrequencyFactor, highFrequencyFactor, firstPositions },
  };
}

/** Channels that are kept or stretched by the turns that they take in the texts of the first training. */
export type YarnScaling = Extract<RopeScaling, { readonly type: 'yarn' }>;

/** @throws ConfigError naming what does not fit */
function parseYarn(fields: ConfigFields, factor: number, firstPositions: number): YarnScaling {
  const range = { min: 0, max: 1e6 };
  // 0 counts as absent in transformers.
  const betaFast = fields.number('beta_fast', 32, range) || 32;
  const betaSlow = fields.number('beta_slow', 1, range) || 1;
  if (betaFast < betaSlow) {
    fields.fail('beta_fast', `no less than beta_slow, which is ${betaSlow}`);
  }
  const mscale = fields.number('mscale', 0, range);
  const all = fields.number('mscale_all_dim', 0, range);
  const grown = (by: number) => (factor <= 1 ? 1 : 0.1 * by * Math.log(factor) + 1);
  const inferred = mscale && all ? grown(mscale) / grown(all) : grown(1);
  return {
    type: 'yarn',
    factor,
    firstPositions,
    betaFast,
    betaSlow,
    attentionFactor: fields.number('attention_factor', inferred, range),
    truncate: fields.flag('truncate', true),
  };
}

/** The inverse of {@link parseRope}, in the fields that every release of transformers reads. */
export function writeRope({ theta, scaling }: RopeConfig): RawConfig {
  return { rope_theta: theta, rope_scaling: scaling && writeScaling(scaling) };
}

function writeScaling(scaling: RopeScaling): RawConfig {
  const { type, factor } = scaling;
  const rest = { rope_type: type, factor };
  switch (scaling.type) {
    case 'linear':
    case 'dynamic':
      return rest;
    case 'yarn':
      return {
        ...rest,
        [FIRST_POSITIONS]: scaling.firstPositions,
        beta_fast: scaling.betaFast,
        beta_slow: scaling.betaSlow,
        attention_factor: scaling.attentionFactor,
        truncate: scaling.truncate,
      };
    case 'llama3':
      return {
        ...rest,
        low_freq_factor: scaling.lowFrequencyFactor,
        high_freq_factor: scaling.highFrequencyFactor,
        [FIRST_POSITIONS]: scaling.firstPositions,
      };
  }
}
