/** The way out: the `generation_config.json` of a model that was adapted. */
import type { RawConfig } from '../models/index.js';
import { GENERATION_FIELDS, generationDefaults } from './generation-config.js';
import type { GenerativeModel } from './generative-model.js';

/** What is of the file that was read, not of the model. */
const NOT_CARRIED = new Set(['_from_model_config', '_commit_hash', 'transformers_version']);

/** Ids of a field, which holds one, a list or none. */
function idsOf(value: unknown): unknown[] {
  if (Array.isArray(value)) return value;
  return value === null || value === undefined ? [] : [value];
}

/** What a `config.json` of before there was a `generation_config.json` says of how its model writes. */
function olderFields(text: Parameters<typeof generationDefaults>[0]): RawConfig {
  const { raw = {} } = text;
  const { options, maxLength } = generationDefaults(text);
  const found = Object.entries(raw).filter(
    ([name, value]) => GENERATION_FIELDS.includes(name) && (value ?? null) !== null,
  );
  const { max_length: _, ...fields } = Object.fromEntries(found);
  const { forcedBosToken } = options;
  return {
    ...fields,
    ...(maxLength === undefined ? {} : { max_length: maxLength }),
    ...(forcedBosToken === undefined ? {} : { forced_bos_token_id: forcedBosToken }),
  };
}

/**
 * The `generation_config.json` of a model: what its base had (in that file, or as older ones have it in their
 * `config.json`), and the special tokens of its configuration. What it was taught to end a text with is among
 * the tokens that end one.
 */
export function generationFile(
  text: Pick<GenerativeModel, 'definition' | 'config' | 'raw' | 'generation'>,
): RawConfig {
  const { config, generation: told = {} } = text;
  const carried = text.generation
    ? Object.entries(told).filter(([name]) => !NOT_CARRIED.has(name))
    : Object.entries(olderFields(text));
  const ends = [...new Set([...idsOf(told.eos_token_id), ...config.eosTokens])];
  const tokens = {
    bos_token_id: told.bos_token_id ?? config.bosToken,
    eos_token_id: ends.length > 1 ? ends : ends[0],
    pad_token_id: told.pad_token_id ?? config.padToken,
    decoder_start_token_id: told.decoder_start_token_id ?? config.decoderStartToken,
  };
  return {
    ...Object.fromEntries(carried),
    ...Object.fromEntries(Object.entries(tokens).filter(([, id]) => (id ?? null) !== null)),
  };
}
