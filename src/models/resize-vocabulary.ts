/** Another vocabulary for a text model: rows of its tables are kept, dropped and added. */
import { ConfigError } from '../errors.js';
import { type HostTensor, hostTensor, sameShape, sizeOf } from '../graph/index.js';
import type { Weights } from '../nn/index.js';
import type { TextConfig, TextModelDefinition } from './define-text-model.js';
import { headOf } from './load-text.js';
import { MAX_VOCABULARY, writeTextConfig } from './text-config.js';
import type { TextHead, TextModel } from './text-model.js';

/** A model with another vocabulary. */
export interface ResizedModel {
  readonly config: TextConfig;
  readonly model: TextModel;
  readonly weights: Weights;
}

/** Checks the rows, so that nothing is read beside a table. */
function checkRows(rowOf: Int32Array, size: number): void {
  if (rowOf.length < 1 || rowOf.length > MAX_VOCABULARY) {
    throw new ConfigError(
      `resizeVocabulary: a vocabulary has 1 to ${MAX_VOCABULARY} tokens, got ${rowOf.length}.`,
      { tokens: rowOf.length },
    );
  }
  const token = rowOf.findIndex((row) => row < -1 || row >= size);
  if (token >= 0) {
    throw new ConfigError(
      `resizeVocabulary: token ${token} asks for row ${rowOf[token]}; there are rows 0 to ${size - 1}, and -1 for a new token.`,
      { token, row: rowOf[token], size },
    );
  }
}

/**
 * Gathers along the axis of the vocabulary. New rows of a table are the mean of the old ones, which moves
 * the probabilities of the old words least; new elements of a bias are 0.
 */
function resized(t: HostTensor, rowOf: Int32Array, size: number): HostTensor {
  const axis = t.shape.indexOf(size);
  // The words that a translator writes may be others than those that it reads.
  if (axis < 0) return t;
  const outer = sizeOf(t.shape.slice(0, axis));
  const inner = sizeOf(t.shape.slice(axis + 1));
  const old = t.data as Float32Array;
  const data = new Float32Array(outer * rowOf.length * inner);
  const isTable = inner > 1;
  for (let o = 0; o < outer; o++) {
    const mean = new Float32Array(inner);
    if (isTable && rowOf.includes(-1)) {
      const sum = new Float64Array(inner);
      for (let i = 0; i < size * inner; i++) sum[i % inner]! += old[o * size * inner + i]!;
      mean.set(sum.map((s) => s / size));
    }
    for (const [token, row] of rowOf.entries()) {
      const from = (o * size + row) * inner;
      data.set(
        row < 0 ? mean : old.subarray(from, from + inner),
        (o * rowOf.length + token) * inner,
      );
    }
  }
  return hostTensor('float32', t.shape.with(axis, rowOf.length), data);
}

/**
 * Fits a model to another tokenizer: tokens that both have keep what was learned of them.
 * Source of the starting values: Hewitt, "Initializing new word embeddings for pretrained language models",
 * 2021; as `mean_resizing` of transformers, without its noise.
 * RoBERTa counts positions from its padding's id, so that this one should keep its number.
 * @param rowOf for each token of the new vocabulary its row in the old one, or -1
 * @throws ConfigError when a row is not there, or the model has two vocabularies of one size
 */
export function resizeVocabulary(
  definition: TextModelDefinition,
  headName: TextHead,
  config: TextConfig,
  weights: Weights,
  rowOf: Int32Array,
): ResizedModel {
  const size = config.vocabularySize;
  checkRows(rowOf, size);
  const moved = (id: number | null): number | null => {
    const at = id === null ? -1 : rowOf.indexOf(id);
    return at < 0 ? null : at;
  };
  const changed: TextConfig = {
    ...config,
    vocabularySize: rowOf.length,
    padToken: moved(config.padToken),
    bosToken: moved(config.bosToken),
    eosTokens: config.eosTokens.map(moved).filter((id) => id !== null),
    decoderStartToken: moved(config.decoderStartToken),
  };
  // Parsed anew, as other fields follow from these.
  const parsed = definition.parse(writeTextConfig(definition, headName, changed));
  const model = headOf(definition, headName).build(parsed);
  const moves = [...weights].map(([path, t]) => {
    const value = definition.vocabulary.test(path) ? resized(t, rowOf, size) : t;
    const want = model.parameters().get(path)?.tensor.shape;
    if (want && !sameShape(value.shape, want)) {
      throw new ConfigError(
        `resizeVocabulary: ${path} would be [${value.shape}] where the model has [${want}]. Models with two vocabularies of one size keep them.`,
        { path, shape: value.shape, want },
      );
    }
    return [path, value] as const;
  });
  return { config: parsed, model, weights: new Map(moves) };
}
