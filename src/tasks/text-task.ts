/** How a task on texts is declared: from a sample to token ids, and from ids to batches. */
import type { TextSample, Tokenizer } from '../data/index.js';
import { ConfigError } from '../errors.js';
import { type HostTensor, hostTensor } from '../graph/index.js';
import { TEXT_INPUTS, type TextHead } from '../models/index.js';
import type { KeyedRandom } from '../util/index.js';
import type { TaskDefinition } from './define-task.js';

/** A sample as token ids. */
export interface TextItem {
  readonly ids: Int32Array;
  /** 0 for the first text of a pair, 1 for the second; null where there is one text only. */
  readonly typeIds: Int32Array | null;
  /** What the decoder of an encoder-decoder reads. */
  readonly decoderIds?: Int32Array;
  /** What the loss reads; its meaning is the task's. */
  readonly labels: Int32Array | Float32Array;
  /** Words with tags: position of the first token of each word; -1 for words without any. */
  readonly places?: Int32Array;
  /** Tokens that did not fit and were left out. */
  readonly truncated: number;
}

/** What samples are made into ids with. */
export interface TextTools {
  readonly tokenizer: Tokenizer;
  /** The most tokens of a text, special ones included. */
  readonly maxTokens: number;
}

/** Where items are laid. */
export interface TextPlace {
  /** Tokens that each row is padded to. */
  readonly tokens: number;
  /** The same for the decoder of an encoder-decoder; 0 for others. */
  readonly decoderTokens: number;
  readonly padToken: number;
  /** Names of `TEXT_INPUTS` that the model reads. */
  readonly inputs: readonly string[];
  /** Key of this row in this pass; null in evaluation, where every pass is the same. */
  readonly random: ((row: number) => KeyedRandom) | null;
}

/** Tensors of a batch by name. */
export type TextBatch = Record<string, HostTensor>;

/** A row of a batch: an item, or null for padding. */
export type TextRow = TextItem | null;

/** A task on texts: `S` is a sample of the data, `T` what is true of it. */
export interface TextTask<S extends TextSample = TextSample, T = unknown>
  extends TaskDefinition<T> {
  readonly head: TextHead;
  item(sample: S, tools: TextTools): TextItem;
  truth(sample: S, item: TextItem): T;
  /** What the model reads. Several rows may be made of one item, all of one row's before the next one's. */
  inputs(rows: readonly TextRow[], place: TextPlace): TextBatch;
  /** What the loss reads beside the model's output; rows of padding weigh 0. */
  targets(rows: readonly TextRow[], place: TextPlace): TextBatch;
}

/** Rows of ids padded on the right: int32 [rows, tokens]. */
export function laid(
  rows: readonly (ArrayLike<number> | null)[],
  tokens: number,
  filler: number,
): HostTensor {
  const data = new Int32Array(rows.length * tokens).fill(filler);
  for (const [r, row] of rows.entries()) if (row) data.set(row, r * tokens);
  return hostTensor('int32', [rows.length, tokens], data);
}

/** 1 where a row has a token and 0 where it is padded, [rows, tokens]. A row of padding sees its first place. */
export function maskOf(
  lengths: readonly (number | undefined)[],
  tokens: number,
  dtype: 'int32' | 'float32' = 'int32',
): HostTensor {
  const data =
    dtype === 'int32'
      ? new Int32Array(lengths.length * tokens)
      : new Float32Array(lengths.length * tokens);
  for (const [r, length] of lengths.entries()) data.fill(1, r * tokens, r * tokens + (length ?? 1));
  return hostTensor(dtype, [lengths.length, tokens], data);
}

/** Ids, mask and kinds of tokens, as far as the model reads them. */
export function tokenInputs(rows: readonly TextRow[], place: TextPlace): TextBatch {
  const { tokens, padToken, inputs } = place;
  const batch: TextBatch = {
    [TEXT_INPUTS.ids]: laid(
      rows.map((r) => r?.ids ?? null),
      tokens,
      padToken,
    ),
    [TEXT_INPUTS.mask]: maskOf(
      rows.map((r) => r?.ids.length),
      tokens,
    ),
  };
  if (inputs.includes(TEXT_INPUTS.types)) {
    batch[TEXT_INPUTS.types] = laid(
      rows.map((r) => r?.typeIds ?? null),
      tokens,
      0,
    );
  }
  return batch;
}

/** 1 for each row that holds a sample: float32 [rows]. */
export function rowWeights(rows: readonly TextRow[]): HostTensor {
  return hostTensor(
    'float32',
    [rows.length],
    rows.map((r) => (r ? 1 : 0)),
  );
}

/** Encodes a text or a pair. */
export function encodeTexts(
  { tokenizer, maxTokens }: TextTools,
  text: string,
  pair?: string,
): Pick<TextItem, 'ids' | 'typeIds' | 'truncated'> {
  const { ids, typeIds, truncated } = tokenizer.encode(text, {
    maxLength: maxTokens,
    ...(pair === undefined ? {} : { pair }),
  });
  return {
    ids: Int32Array.from(ids),
    typeIds: pair === undefined ? null : Int32Array.from(typeIds),
    truncated,
  };
}

/**
 * The special tokens that a tokenizer puts before a text, such as Llama's `<s>`: what a decoder has always read
 * first. What it puts behind a text ends it, and is no part of a prompt.
 */
export function leadingTokens(tokenizer: Tokenizer): readonly number[] {
  const { ids, sequenceIds } = tokenizer.encode('a');
  return ids.slice(0, Math.max(0, sequenceIds.indexOf(0)));
}

/**
 * A special token that a task needs.
 * @throws ConfigError naming it when the tokenizer has none
 */
export function specialToken(tokenizer: Tokenizer, name: keyof Tokenizer['special']): number {
  const id = tokenizer.special[name];
  if (id !== undefined) return id;
  throw new ConfigError(
    `The tokenizer has no ${name} token, which this task needs. Choose another base, or name it in tokenizer_config.json.`,
    { token: name },
    'no-special-token',
  );
}
