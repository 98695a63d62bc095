/** How a text is to be written; names and meanings are those of transformers' generation configuration. */
import { ConfigError } from '../errors.js';
import type { TextConfig } from '../models/index.js';
import type { GenerationDefaults } from './generation-config.js';
import { writtenVocabulary } from './generative-model.js';
import {
  badWords,
  forcedBos,
  forcedEos,
  minNewTokens,
  minP,
  noRepeatNgram,
  type Processor,
  renormalize,
  repetitionPenalty,
  suppressAtBegin,
  suppressTokens,
  temperature,
  topK,
  topP,
} from './processors.js';

/**
 * Options of generation. What is not given is as the model's `generation_config.json` says (or the older fields
 * of its `config.json`), and where that is silent as it is named here.
 */
export interface GenerateOptions {
  /** Tokens that are written at most; a list has one number a prompt. Defaults to 20, as in transformers. */
  readonly maxNewTokens?: number | readonly number[];
  /** Tokens before which the text does not end. */
  readonly minNewTokens?: number;
  /** Tokens that end a text; the model's own by default. None are looked for when empty. */
  readonly eosTokens?: readonly number[];
  /**
   * Draw words by their chances; the likeliest is taken by default. Who gives `numBeams` alone, 1 included,
   * has no words drawn, whatever the model's files say; who gives this alone has no beams.
   */
  readonly sample?: boolean;
  /** Seed of the draws: the same seed writes the same text of a prompt. Defaults to 0. */
  readonly seed?: number;
  /** Of drawn words: divisor of the scores. Defaults to 1. */
  readonly temperature?: number;
  /** Of drawn words: so many of the likeliest. All by default. */
  readonly topK?: number;
  /** Of drawn words: the likeliest whose chances together reach this share. Defaults to 1. */
  readonly topP?: number;
  /** Of drawn words: those with this part of the likeliest one's chance. Defaults to 0. */
  readonly minP?: number;
  /** Texts that are followed side by side; the best of them is given. Defaults to 1. */
  readonly numBeams?: number;
  /** Power of the length that a beam's score is divided by: above 0 favours long texts. Defaults to 1. */
  readonly lengthPenalty?: number;
  /**
   * When beams stop: true, as soon as there are as many ended texts as beams; false, when a better one has
   * become unlikely; `never`, when there can be none. Defaults to false.
   */
  readonly earlyStopping?: boolean | 'never';
  /** Texts that are given for each prompt. More than one need as many beams, or are drawn. Defaults to 1. */
  readonly numReturnSequences?: number;
  /** Of beams: what is left of the chances after words were forbidden is made to sum to 1. Defaults to false. */
  readonly renormalize?: boolean;
  /** Factor against words that came before. Defaults to 1. */
  readonly repetitionPenalty?: number;
  /** No run of so many words comes twice; 0 allows all. Defaults to 0. */
  readonly noRepeatNgramSize?: number;
  /** Runs of words that must not be completed. */
  readonly badWords?: readonly (readonly number[])[];
  readonly suppressTokens?: readonly number[];
  /** Words that must not come first. */
  readonly beginSuppressTokens?: readonly number[];
  /** First word of an encoder-decoder's text, such as a language. */
  readonly forcedBosToken?: number;
  /** What the last word is when the text reaches `maxNewTokens`. */
  readonly forcedEosTokens?: readonly number[];
  /** Strings that end a text; they need `decode`. */
  readonly stopStrings?: readonly string[];
  /** Turns tokens into text, for `stopStrings`. */
  readonly decode?: (ids: readonly number[]) => string;
}

/** Tokens that are written at most where nobody says. */
const NEW_TOKENS = 20;

/** {@link GenerateOptions} with what follows from them, for one prompt. */
export interface Plan {
  readonly maxNewTokens: number;
  readonly eosTokens: readonly number[];
  readonly sample: boolean;
  readonly seed: number;
  readonly numBeams: number;
  readonly lengthPenalty: number;
  readonly earlyStopping: boolean | 'never';
  readonly numReturnSequences: number;
  readonly processors: readonly Processor[];
  /** Whether a text has ended. @param written what was written of it, the last token being new */
  ended(written: readonly number[]): boolean;
}

/** What a plan is made for. */
export interface PlanFor {
  /** Number of the prompt, for limits that have one a prompt. */
  readonly index?: number;
  /** Tokens that the decoder has read before it writes. */
  readonly promptLength?: number;
  readonly defaults?: GenerationDefaults;
}

function count(name: string, value: number, least: number): number {
  if (Number.isInteger(value) && value >= least) return value;
  throw new ConfigError(`generate: ${name} must be a whole number from ${least}, got ${value}.`, {
    name,
    value,
  });
}

/** Options without those that are undefined. */
function present<T extends object>(options: T): Partial<T> {
  const entries = Object.entries(options).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as Partial<T>;
}

/** What was given, over what the model's files say. */
function chosen(given: GenerateOptions, defaults?: GenerationDefaults): GenerateOptions {
  const told = defaults?.options ?? {};
  const sample = given.sample ?? (given.numBeams === undefined ? told.sample : false);
  const numBeams = given.numBeams ?? (given.sample === true ? 1 : told.numBeams);
  // Fewer beams than the files name give fewer texts.
  const most = sample ? Number.POSITIVE_INFINITY : (numBeams ?? 1);
  const texts = given.numReturnSequences ?? Math.min(told.numReturnSequences ?? 1, most);
  return {
    ...present(told),
    ...present(given),
    ...present({ sample, numBeams, numReturnSequences: texts }),
  };
}

/** The most and the fewest tokens that are written of one text. */
function lengthsOf(
  given: GenerateOptions,
  { maxTokens }: TextConfig,
  { index = 0, promptLength = 1, defaults }: PlanFor,
): { readonly most: number; readonly least: number } {
  const { maxNewTokens: most } = given;
  const { options: told, maxLength, minLength = 0, file } = defaults ?? { options: {} };
  const least = given.minNewTokens ?? told.minNewTokens ?? Math.max(0, minLength - promptLength);
  count('minNewTokens', least, 0);
  if (most !== undefined) {
    const own = typeof most === 'number' ? most : most[index]!;
    return { most: count('maxNewTokens', own, 1), least };
  }
  if (told.maxNewTokens === undefined && maxLength !== undefined && maxLength <= promptLength) {
    throw new ConfigError(
      `generate: prompt ${index} has ${promptLength} tokens, and the model's ${file} ends texts at ${maxLength} (max_length). Shorten it, or give maxNewTokens.`,
      { prompt: index, tokens: promptLength, maxLength },
    );
  }
  const wanted =
    told.maxNewTokens ?? (maxLength === undefined ? NEW_TOKENS : maxLength - promptLength);
  // The last word is not read again, so that it needs no position.
  const room = maxTokens === null ? wanted : maxTokens - promptLength + 1;
  return { most: Math.max(1, Math.min(wanted, room)), least };
}

/** The processors in the order in which transformers applies them. */
function processorsOf(
  options: GenerateOptions,
  eos: readonly number[],
  { most, least }: ReturnType<typeof lengthsOf>,
) {
  const { sample = false, forcedBosToken, numBeams = 1 } = options;
  const list: Processor[] = [];
  const put = (wanted: unknown, make: () => Processor) => {
    if (wanted) list.push(make());
  };
  const { repetitionPenalty: penalty = 1, noRepeatNgramSize: size = 0 } = options;
  put(penalty !== 1, () => repetitionPenalty(penalty));
  put(size !== 0, () => noRepeatNgram(size));
  put(options.badWords?.length, () => badWords(options.badWords!, eos));
  put(least, () => minNewTokens(least, eos));
  put(forcedBosToken !== undefined, () => forcedBos(forcedBosToken!));
  put(options.forcedEosTokens?.length, () => forcedEos(options.forcedEosTokens!, most));
  put(options.suppressTokens?.length, () => suppressTokens(options.suppressTokens!));
  put(options.beginSuppressTokens?.length, () =>
    suppressAtBegin(options.beginSuppressTokens!, forcedBosToken !== undefined),
  );
  // Of one text alone the order of the words is all that counts.
  put(options.renormalize && numBeams > 1, renormalize);
  if (!sample) return list;
  put(options.temperature !== undefined && options.temperature !== 1, () =>
    temperature(options.temperature!),
  );
  put(options.topK, () => topK(options.topK!));
  put(options.topP !== undefined && options.topP !== 1, () => topP(options.topP!));
  put(options.minP, () => minP(options.minP!));
  return list;
}

function stopper(options: GenerateOptions): ((written: readonly number[]) => boolean) | null {
  const { stopStrings = [], decode } = options;
  if (stopStrings.length === 0) return null;
  if (!decode || stopStrings.includes('')) {
    throw new ConfigError(
      decode
        ? 'generate: a stop string is empty, and would end every text at once.'
        : 'generate: stopStrings need decode, which turns tokens into text.',
    );
  }
  return (written) => {
    const text = decode(written);
    return stopStrings.some((stop) => text.includes(stop));
  };
}

/** @throws ConfigError for ids that are none of the vocabulary's, and for empty runs */
function checkTokens(options: GenerateOptions, words: number): void {
  const listed = [
    ...(options.eosTokens ?? []),
    ...(options.suppressTokens ?? []),
    ...(options.beginSuppressTokens ?? []),
    ...(options.badWords ?? []).flat(),
    ...(options.forcedEosTokens ?? []),
    ...(options.forcedBosToken === undefined ? [] : [options.forcedBosToken]),
  ];
  const wrong = listed.find((id) => !Number.isInteger(id) || id < 0 || id >= words);
  if (wrong === undefined && !options.badWords?.some((run) => run.length === 0)) return;
  throw new ConfigError(
    `generate: tokens are whole numbers from 0 to ${words - 1}, and runs of them are not empty; got ${wrong ?? '[]'}.`,
    { token: wrong },
  );
}

/**
 * Checks the options against each other and the model.
 * @throws ConfigError naming what does not fit
 */
export function planOf(given: GenerateOptions, config: TextConfig, asked: PlanFor = {}): Plan {
  const options = chosen(given, asked.defaults);
  const { sample = false, seed = 0, lengthPenalty = 1, earlyStopping = false } = options;
  const numBeams = count('numBeams', options.numBeams ?? 1, 1);
  const numReturnSequences = count('numReturnSequences', options.numReturnSequences ?? 1, 1);
  const lengths = lengthsOf(given, config, asked);
  if (!Number.isFinite(lengthPenalty)) {
    throw new ConfigError(`generate: lengthPenalty must be a number, got ${lengthPenalty}.`, {
      lengthPenalty,
    });
  }
  if (numBeams > 1 && sample) {
    throw new ConfigError('generate: beams follow the likeliest words; do not sample with them.');
  }
  if (!sample && numReturnSequences > numBeams) {
    throw new ConfigError(
      `generate: ${numReturnSequences} texts a prompt need as many beams (numBeams is ${numBeams}), or sampling.`,
      { numReturnSequences, numBeams },
    );
  }
  checkTokens(options, writtenVocabulary(config));
  const eosTokens = options.eosTokens ?? config.eosTokens;
  const stops = stopper(options);
  return {
    maxNewTokens: lengths.most,
    eosTokens,
    sample,
    seed,
    numBeams,
    lengthPenalty,
    earlyStopping,
    numReturnSequences,
    processors: processorsOf(options, eosTokens, lengths),
    ended: (written) => eosTokens.includes(written.at(-1)!) || (stops?.(written) ?? false),
  };
}
