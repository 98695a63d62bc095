/** How a text is to be written; names and meanings are those of transformers' generation configuration. */
import { ConfigError } from '../errors.js';
import type { TextConfig } from '../models/index.js';
import {
  badWords,
  forcedBos,
  forcedEos,
  minNewTokens,
  minP,
  noRepeatNgram,
  type Processor,
  repetitionPenalty,
  suppressAtBegin,
  suppressTokens,
  temperature,
  topK,
  topP,
} from './processors.js';

/** Options of generation. */
export interface GenerateOptions {
  /** Tokens that are written at most. Defaults to 20, as in transformers. */
  readonly maxNewTokens?: number;
  /** Tokens before which the text does not end. */
  readonly minNewTokens?: number;
  /** Tokens that end a text; the model's own by default. None are looked for when empty. */
  readonly eosTokens?: readonly number[];
  /** Draw words by their chances; the likeliest is taken by default. */
  readonly sample?: boolean;
  /** Seed of the draws: the same seed writes the same text. Defaults to 0. */
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

/** {@link GenerateOptions} with what follows from them. */
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

function count(name: string, value: number, least: number): number {
  if (Number.isInteger(value) && value >= least) return value;
  throw new ConfigError(`generate: ${name} must be a whole number from ${least}, got ${value}.`, {
    name,
    value,
  });
}

/** The processors in the order in which transformers applies them. */
function processorsOf(options: GenerateOptions, eos: readonly number[], maxNew: number) {
  const { sample = false, forcedBosToken } = options;
  const list: Processor[] = [];
  const put = (wanted: unknown, make: () => Processor) => {
    if (wanted) list.push(make());
  };
  const { repetitionPenalty: penalty = 1, noRepeatNgramSize: size = 0 } = options;
  put(penalty !== 1, () => repetitionPenalty(penalty));
  put(size !== 0, () => noRepeatNgram(size));
  put(options.badWords?.length, () => badWords(options.badWords!, eos));
  put(options.minNewTokens, () => minNewTokens(options.minNewTokens!, eos));
  put(forcedBosToken !== undefined, () => forcedBos(forcedBosToken!));
  put(options.forcedEosTokens?.length, () => forcedEos(options.forcedEosTokens!, maxNew));
  put(options.suppressTokens?.length, () => suppressTokens(options.suppressTokens!));
  put(options.beginSuppressTokens?.length, () =>
    suppressAtBegin(options.beginSuppressTokens!, forcedBosToken !== undefined),
  );
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

/**
 * Checks the options against each other and the model.
 * @throws ConfigError naming what does not fit
 */
export function planOf(options: GenerateOptions, config: TextConfig): Plan {
  const { sample = false, seed = 0, lengthPenalty = 1, earlyStopping = false } = options;
  const numBeams = count('numBeams', options.numBeams ?? 1, 1);
  const numReturnSequences = count('numReturnSequences', options.numReturnSequences ?? 1, 1);
  const maxNewTokens = count('maxNewTokens', options.maxNewTokens ?? 20, 1);
  if (numBeams > 1 && sample) {
    throw new ConfigError('generate: beams follow the likeliest words; do not sample with them.');
  }
  if (!sample && numReturnSequences > numBeams) {
    throw new ConfigError(
      `generate: ${numReturnSequences} texts a prompt need as many beams (numBeams is ${numBeams}), or sampling.`,
      { numReturnSequences, numBeams },
    );
  }
  const eosTokens = options.eosTokens ?? config.eosTokens;
  const listed = [
    ...eosTokens,
    ...(options.suppressTokens ?? []),
    ...(options.beginSuppressTokens ?? []),
    ...(options.badWords ?? []).flat(),
    ...(options.forcedEosTokens ?? []),
    ...(options.forcedBosToken === undefined ? [] : [options.forcedBosToken]),
  ];
  const wrong = listed.find((id) => !Number.isInteger(id) || id < 0);
  if (wrong !== undefined || options.badWords?.some((run) => run.length === 0)) {
    throw new ConfigError(
      `generate: tokens are whole numbers from 0, and runs of them are not empty; got ${wrong ?? '[]'}.`,
      { token: wrong },
    );
  }
  const stops = stopper(options);
  return {
    maxNewTokens,
    eosTokens,
    sample,
    seed,
    numBeams,
    lengthPenalty,
    earlyStopping,
    numReturnSequences,
    processors: processorsOf(options, eosTokens, maxNewTokens),
    ended: (written) => eosTokens.includes(written.at(-1)!) || (stops?.(written) ?? false),
  };
}
