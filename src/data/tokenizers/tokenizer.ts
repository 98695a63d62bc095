/** What a tokenizer is for the rest of the library: text to ids with offsets, and back. */

/** Range `[start, end)` of a text in UTF-16 units, as `String.prototype.slice` counts. */
export type Span = readonly [start: number, end: number];

/** A text as tokens; every list has one entry per token. */
export interface Encoding {
  readonly ids: readonly number[];
  /** Hugging Face's `token_type_ids`. */
  readonly typeIds: readonly number[];
  /** Where a token lies in its text (from `encodeWords`: in its word); null for special tokens. */
  readonly offsets: readonly (Span | null)[];
  /** Index of the word a token lies in, as Hugging Face's `word_ids`; null for special tokens. */
  readonly wordIds: readonly (number | null)[];
  /** 0 for the first text, 1 for the second, null for special tokens. */
  readonly sequenceIds: readonly (number | null)[];
  /** Tokens that did not fit into `maxLength` and were left out. */
  readonly truncated: number;
}

/** Ids of the tokens that models know by their purpose; a tokenizer has some of them. */
export interface SpecialTokens {
  readonly pad?: number;
  readonly unk?: number;
  readonly cls?: number;
  readonly sep?: number;
  readonly mask?: number;
  readonly bos?: number;
  readonly eos?: number;
}

/** How one text, or a pair, becomes tokens. */
export interface EncodeOptions {
  /** The second text of a pair. */
  readonly pair?: string;
  /** The most tokens that come out, special ones included; without it nothing is left out. */
  readonly maxLength?: number;
  /** Which text gives up tokens at its end; default `longest-first`. */
  readonly truncate?: 'longest-first' | 'first' | 'second';
  /** Whether the special tokens of the post-processor are added; default true. */
  readonly addSpecialTokens?: boolean;
}

/** Text to ids and back. */
export interface Tokenizer {
  /** Number of embedding rows that the ids need: the largest id, of added tokens too, plus one. */
  readonly vocabularySize: number;
  readonly special: SpecialTokens;
  /** `model_max_length`, where the tokenizer's files give a sensible one. */
  readonly maxLength: number | null;
  /** For the texts that a model writes, where it cuts them otherwise than those that it reads (Marian). */
  readonly target?: Tokenizer;
  /** @throws ConfigError when `maxLength` leaves no room for the special tokens */
  encode(text: string, options?: EncodeOptions): Encoding;
  /**
   * Words that are already split, as in data for tagging: `wordIds` are indices into `words`. Byte-level
   * tokenizers get each as if a space stood before it, the first one too, as by `add_prefix_space`.
   */
  encodeWords(words: readonly string[], options?: Omit<EncodeOptions, 'pair'>): Encoding;
  /** The ids of `encode`, without the work for offsets. */
  ids(text: string, options?: EncodeOptions): readonly number[];
  /** Text of ids; ids outside the vocabulary are passed over. */
  decode(ids: readonly number[], options?: { readonly skipSpecialTokens?: boolean }): string;
  tokenOf(id: number): string | undefined;
  idOf(token: string): number | undefined;
  /**
   * The files to be saved beside a model, by name: tokenizer.json, tokenizer_config.json and
   * special_tokens_map.json. transformers and transformers.js load them; where Python reads others
   * (Marian's vocab.json), those too.
   * @param options.words for a model that reads words by {@link Tokenizer.encodeWords}: byte-level
   * tokenizers are then told to `add_prefix_space`
   */
  files(options?: { readonly words?: boolean }): ReadonlyMap<string, string>;
  /** The same for files that are no text: Marian's `source.spm` and `target.spm`. */
  binaryFiles(): ReadonlyMap<string, Uint8Array>;
  /** A tokenizer with more tokens at the end of the vocabulary; known ones are passed over. */
  withTokens(tokens: readonly string[], options?: { readonly special?: boolean }): Tokenizer;
}
