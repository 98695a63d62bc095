/** Documents put one after another into blocks of one length: language modelling without padding. */
import { ConfigError } from '../../errors.js';

/** A block of tokens. */
export interface TokenBlock {
  /** [length] */
  readonly ids: Int32Array;
  /**
   * [length]: 1 for tokens of documents and the ends between them, 0 for what fills the last block.
   */
  readonly weights: Float32Array;
}

/** Options of {@link packBlocks}. */
export interface PackOptions {
  /** Tokens of a block. */
  readonly length: number;
  /** Id that ends each document; it also fills the last block, with weight 0. */
  readonly end: number;
  /** True: a last block that is not full is left out. */
  readonly dropLast?: boolean | undefined;
}

/**
 * Blocks of documents, with `end` after each document. A document may begin in one block and go on
 * in the next. Documents are taken one at a time, so that they may be more than memory holds.
 * @throws ConfigError for a length that is no positive integer
 */
export function* packBlocks(
  documents: Iterable<ArrayLike<number>>,
  { length, end, dropLast = false }: PackOptions,
): Generator<TokenBlock> {
  if (!Number.isInteger(length) || length < 1) {
    throw new ConfigError(`The length of a block is a positive integer, got ${length}.`, {
      length,
    });
  }
  let ids = new Int32Array(length);
  let filled = 0;
  for (const document of documents) {
    for (let i = 0; i <= document.length; i++) {
      ids[filled++] = i < document.length ? document[i]! : end;
      if (filled < length) continue;
      yield { ids, weights: new Float32Array(length).fill(1) };
      ids = new Int32Array(length);
      filled = 0;
    }
  }
  if (filled > 0 && !dropLast) {
    yield { ids: ids.fill(end, filled), weights: new Float32Array(length).fill(1, 0, filled) };
  }
}

/** Documents as one array of blocks. */
export interface PackedTokens {
  readonly blocks: number;
  /** [blocks, length] */
  readonly ids: Int32Array;
  /** [blocks, length] */
  readonly weights: Float32Array;
}

/**
 * {@link packBlocks} for documents that fit into memory.
 * @throws ConfigError for a length that is no positive integer
 */
export function packTokens(
  documents: Iterable<ArrayLike<number>>,
  options: PackOptions,
): PackedTokens {
  const made = [...packBlocks(documents, options)];
  const ids = new Int32Array(made.length * options.length);
  const weights = new Float32Array(ids.length);
  for (const [b, block] of made.entries()) {
    ids.set(block.ids, b * options.length);
    weights.set(block.weights, b * options.length);
  }
  return { blocks: made.length, ids, weights };
}
