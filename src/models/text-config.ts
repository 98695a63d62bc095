/** Fields of `config.json` that text models share. */
import { type ConfigFields, labelFields } from './config-fields.js';
import type { RawConfig } from './define-model.js';
import type { TextConfig, TextModelDefinition } from './define-text-model.js';
import type { TextHead } from './text-model.js';

/** More layers than any published model; each is a part of the graph. */
export const MAX_LAYERS = 256;
/** Larger than any published vocabulary. */
export const MAX_VOCABULARY = 1 << 21;
/** A chance or a rate. */
export const RATE = { min: 0, max: 1 };

const PROBLEMS = [
  'single_label_classification',
  'multi_label_classification',
  'regression',
] as const;

/** The id of a special token; null when the file says so, with null or, as older files, with -1. */
function tokenId(
  fields: ConfigFields,
  raw: RawConfig,
  name: string,
  fallback: number | null,
): number | null {
  if (Object.hasOwn(raw, name) && raw[name] === null) return null;
  const id = fields.integer(name, fallback ?? -1, { min: -1, max: MAX_VOCABULARY });
  return id < 0 ? null : id;
}

/** Default ids of special tokens of an architecture. */
export interface TokenDefaults {
  readonly pad?: number;
  readonly bos?: number;
  readonly eos?: number;
  readonly decoderStart?: number;
}

/**
 * Labels, special tokens and kind of problem.
 * @param defaults what transformers takes where the file is silent
 */
export function textFields(
  fields: ConfigFields,
  raw: RawConfig,
  defaults: TokenDefaults = {},
): Pick<
  TextConfig,
  'labels' | 'padToken' | 'bosToken' | 'eosTokens' | 'decoderStartToken' | 'problem'
> {
  const several = Array.isArray(raw.eos_token_id);
  const eos = several
    ? fields.integers('eos_token_id', [], { min: 0, max: MAX_VOCABULARY })
    : [tokenId(fields, raw, 'eos_token_id', defaults.eos ?? null)].filter((id) => id !== null);
  return {
    labels: fields.labels(),
    padToken: tokenId(fields, raw, 'pad_token_id', defaults.pad ?? null),
    bosToken: tokenId(fields, raw, 'bos_token_id', defaults.bos ?? null),
    eosTokens: eos,
    decoderStartToken: tokenId(
      fields,
      raw,
      'decoder_start_token_id',
      defaults.decoderStart ?? null,
    ),
    problem: fields.has('problem_type')
      ? fields.choice('problem_type', PROBLEMS, 'single_label_classification')
      : null,
  };
}

/**
 * What a head for classes of texts gives. Where the file is silent, one output is a number to transformers
 * (rankers of pairs and older models of STS-B are saved so): the softmax of a single logit is 1 whatever is asked.
 */
export function problemOf({
  problem,
  labels,
}: Pick<TextConfig, 'problem' | 'labels'>): NonNullable<TextConfig['problem']> {
  return problem ?? (labels.length === 1 ? 'regression' : 'single_label_classification');
}

/** The fields of {@link textFields} as `config.json` has them. */
function writeTextFields(config: TextConfig): RawConfig {
  const { padToken, bosToken, eosTokens, decoderStartToken, problem } = config;
  return {
    // null stands there, as an absent field would have the architecture's default.
    pad_token_id: padToken,
    bos_token_id: bosToken,
    eos_token_id: eosTokens.length > 1 ? eosTokens : (eosTokens[0] ?? null),
    ...(decoderStartToken === null ? {} : { decoder_start_token_id: decoderStartToken }),
    ...(problem === null ? {} : { problem_type: problem }),
  };
}

/** The whole `config.json` of a configuration with a head; `parse` reads it back. */
export function writeTextConfig<C extends TextConfig>(
  definition: TextModelDefinition<C>,
  head: TextHead,
  config: C,
): RawConfig {
  return {
    architectures: [definition.heads[head]!.architecture],
    model_type: definition.modelType,
    ...labelFields(config.labels),
    torch_dtype: 'float32',
    ...writeTextFields(config),
    ...definition.write(config),
  };
}
