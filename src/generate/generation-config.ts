/**
 * How a model's own files say that it writes: `generation_config.json`, or where there is none the older fields
 * of `config.json`, as transformers' `GenerationConfig` (5.24) reads them.
 */
import { ConfigFields, MAX_VOCABULARY, type NumberRange, type RawConfig } from '../models/index.js';
import { type GenerativeModel, writtenVocabulary } from './generative-model.js';
import type { GenerateOptions } from './options.js';

/** What a model's files say of how it writes; options that are given override it. */
export interface GenerationDefaults {
  readonly file: 'generation_config.json' | 'config.json';
  readonly options: Omit<GenerateOptions, 'maxNewTokens'> & { readonly maxNewTokens?: number };
  /** Tokens of what the decoder reads and writes together, at most. */
  readonly maxLength?: number;
  /** The same, at least. */
  readonly minLength?: number;
  readonly padToken?: number;
  readonly bosToken?: number;
  /** First token of an encoder-decoder's texts. */
  readonly decoderStartToken?: number;
  /** Fields that ask for what is not known here, and are left out. */
  readonly leftOut: readonly string[];
}

/** Longer than any text, and more beams than any memory holds; a larger number is a damaged file. */
const MOST_TOKENS = 1 << 27;
const MOST_BEAMS = 1024;
/** What a drawn word is taken from where the file names no number: transformers' default. */
const TOP_K = 50;
/** Older versions wrote this length where none was chosen. */
const UNCHOSEN_LENGTH = 20;

/** Fields that change what is written in ways that are not known here, with the value that changes nothing. */
const UNKNOWN: Readonly<Record<string, unknown>> = {
  typical_p: 1,
  top_h: null,
  epsilon_cutoff: 0,
  eta_cutoff: 0,
  encoder_repetition_penalty: 1,
  encoder_no_repeat_ngram_size: 0,
  diversity_penalty: 0,
  num_beam_groups: 1,
  penalty_alpha: 0,
  guidance_scale: 1,
  sequence_bias: null,
  exponential_decay_length_penalty: null,
  watermarking_config: null,
  constraints: null,
  force_words_ids: null,
  dola_layers: null,
  forced_decoder_ids: null,
  max_time: null,
  token_healing: false,
};

/** Fields that are read, but for the tokens that `config.json` names as well. */
const READ = [
  ...['max_length', 'max_new_tokens', 'min_length', 'min_new_tokens', 'stop_strings'],
  ...['do_sample', 'temperature', 'top_k', 'top_p', 'min_p', 'num_return_sequences'],
  ...['num_beams', 'length_penalty', 'early_stopping', 'renormalize_logits'],
  ...['repetition_penalty', 'no_repeat_ngram_size', 'bad_words_ids', 'suppress_tokens'],
  ...['begin_suppress_tokens', 'forced_bos_token_id', 'forced_eos_token_id'],
] as const;

const TOKENS = ['pad_token_id', 'bos_token_id', 'eos_token_id', 'decoder_start_token_id'];

/** Fields that change nothing of what is written: speed, what is given back, where the file comes from. */
const IDLE =
  /^_|^(?:use_|cache_|max_cache_|output_|return_|compile_|disable_|assistant_|num_assistant_|prompt_lookup_|target_)|^(?:transformers_version|is_assistant|max_matching_ngram_size|low_memory|prefill_chunk_size|speculation_type|remove_invalid_values|continuous_batching_config)$/;

/** Fields of a `config.json` that older versions kept there and newer ones in `generation_config.json`. */
export const GENERATION_FIELDS: readonly string[] = [...READ, ...Object.keys(UNKNOWN)];

function leftOutOf(given: RawConfig, own: boolean): string[] {
  return Object.entries(given).flatMap(([name, value]) => {
    if (value === null || value === undefined || value === false) return [];
    if (Object.hasOwn(UNKNOWN, name)) return value === UNKNOWN[name] ? [] : [name];
    const known = TOKENS.includes(name) || (READ as readonly string[]).includes(name);
    // A config.json holds the model as well.
    return !own || known || IDLE.test(name) ? [] : [name];
  });
}

/** Typed access to the fields of generation; undefined where one is absent. */
class GenerationFields {
  private readonly fields: ConfigFields;
  private readonly given: RawConfig;
  private readonly words: number;

  constructor(fields: ConfigFields, given: RawConfig, words: number) {
    this.fields = fields;
    this.given = given;
    this.words = words;
  }

  whole(name: string, min: number, max = MOST_TOKENS): number | undefined {
    return this.fields.has(name) ? this.fields.integer(name, 0, { min, max }) : undefined;
  }

  real(name: string, range: NumberRange = {}): number | undefined {
    return this.fields.has(name) ? this.fields.number(name, 0, range) : undefined;
  }

  flag(name: string): boolean | undefined {
    return this.fields.has(name) ? this.fields.flag(name, false) : undefined;
  }

  /** A word of the vocabulary; below 0 stands for none, as in older files. */
  token(name: string): number | undefined {
    const id = this.whole(name, -1, this.words - 1);
    return id === undefined || id < 0 ? undefined : id;
  }

  /** A word, or a list of them; undefined where it is empty. */
  tokens(name: string): readonly number[] | undefined {
    if (!this.fields.has(name)) return undefined;
    const value = this.given[name];
    if (!Array.isArray(value)) {
      const id = this.token(name);
      return id === undefined ? undefined : [id];
    }
    const fits = value.length <= this.words && value.every((id) => this.isWord(id));
    return fits ? (value.length > 0 ? value : undefined) : this.failTokens(name, 'a list of');
  }

  /** Runs of words. */
  runs(name: string): readonly (readonly number[])[] | undefined {
    if (!this.fields.has(name)) return undefined;
    const value = this.given[name];
    const isRun = (run: unknown) =>
      Array.isArray(run) && run.length > 0 && run.every((id) => this.isWord(id));
    const fits = Array.isArray(value) && value.length <= MAX_VOCABULARY && value.every(isRun);
    return fits ? value : this.failTokens(name, 'a list of lists of');
  }

  earlyStopping(): boolean | 'never' | undefined {
    const name = 'early_stopping';
    if (!this.fields.has(name)) return undefined;
    const value = this.given[name];
    return typeof value === 'boolean' || value === 'never'
      ? value
      : this.fields.fail(name, "true, false or 'never'");
  }

  strings(name: string): readonly string[] | undefined {
    if (!this.fields.has(name)) return undefined;
    const value = this.given[name];
    const list: unknown[] = Array.isArray(value) ? value : [value];
    const fits = list.every((text) => typeof text === 'string' && text !== '');
    return fits ? (list as string[]) : this.fields.fail(name, 'a string or a list of strings');
  }

  private isWord(id: unknown): boolean {
    return Number.isInteger(id) && (id as number) >= 0 && (id as number) < this.words;
  }

  private failTokens(name: string, form: string): never {
    return this.fields.fail(name, `${form} the vocabulary's ids, 0 to ${this.words - 1}`);
  }
}

/** The options that the fields stand for. */
function optionsOf(fields: GenerationFields): GenerationDefaults['options'] {
  const sample = fields.flag('do_sample');
  const share = { min: 0, max: 1 };
  // Drawn words take no part in beams here: see `leftOut`.
  const numBeams = fields.whole('num_beams', 1, MOST_BEAMS);
  const drawn = sample === true && (numBeams ?? 1) === 1;
  // 0, and in files for other libraries -1, stand for all words.
  const topK = fields.whole('top_k', -1);
  return {
    maxNewTokens: fields.whole('max_new_tokens', 1),
    minNewTokens: fields.whole('min_new_tokens', 0),
    sample: sample === undefined ? undefined : drawn,
    temperature: fields.real('temperature', { min: 0 }),
    topK: topK === undefined ? (drawn ? TOP_K : undefined) : Math.max(0, topK),
    topP: fields.real('top_p', share),
    minP: fields.real('min_p', share),
    numBeams,
    lengthPenalty: fields.real('length_penalty'),
    earlyStopping: fields.earlyStopping(),
    renormalize: fields.flag('renormalize_logits'),
    numReturnSequences: fields.whole('num_return_sequences', 1, MOST_BEAMS),
    repetitionPenalty: fields.real('repetition_penalty', { min: Number.MIN_VALUE }),
    noRepeatNgramSize: fields.whole('no_repeat_ngram_size', 0),
    badWords: fields.runs('bad_words_ids'),
    suppressTokens: fields.tokens('suppress_tokens'),
    beginSuppressTokens: fields.tokens('begin_suppress_tokens'),
    forcedBosToken: fields.token('forced_bos_token_id'),
    forcedEosTokens: fields.tokens('forced_eos_token_id'),
    stopStrings: fields.strings('stop_strings'),
  };
}

/**
 * What a model's files say of how it writes.
 * @throws ConfigError naming the file, the field, what it holds and what it may hold
 */
export function generationDefaults(
  text: Pick<GenerativeModel, 'definition' | 'config' | 'raw' | 'generation'>,
): GenerationDefaults {
  const { definition, config, raw = {}, generation } = text;
  const file = generation ? 'generation_config.json' : 'config.json';
  const given = generation ?? raw;
  const words = writtenVocabulary(config);
  const all = new ConfigFields(definition.modelType, given, { file });
  const fields = new GenerationFields(all, given, words);
  const options = optionsOf(fields);
  const maxLength = fields.whole('max_length', 1);
  const leftOut = leftOutOf(given, generation !== undefined);
  if (given.do_sample === true && options.sample === false) leftOut.push('do_sample');
  const shared = {
    file,
    minLength: fields.whole('min_length', 0),
    leftOut,
  } as const;
  if (!generation) {
    const { bosToken } = config;
    const begins = given.force_bos_token_to_be_generated === true && bosToken !== null;
    return {
      ...shared,
      options: begins
        ? { ...options, forcedBosToken: options.forcedBosToken ?? bosToken }
        : options,
      maxLength: maxLength === UNCHOSEN_LENGTH ? undefined : maxLength,
    };
  }
  return {
    ...shared,
    options: { ...options, eosTokens: fields.tokens('eos_token_id') },
    maxLength,
    padToken: fields.token('pad_token_id'),
    bosToken: fields.token('bos_token_id'),
    decoderStartToken: fields.token('decoder_start_token_id'),
  };
}
