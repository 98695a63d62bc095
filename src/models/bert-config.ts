/** `config.json` of BERT, RoBERTa and XLM-RoBERTa, which share their fields. */
import { ConfigError } from '../errors.js';
import { ConfigFields } from './config-fields.js';
import type { RawConfig } from './define-model.js';
import type { TextConfig } from './define-text-model.js';
import { HIDDEN_ACTS, type HiddenAct } from './hidden-act.js';
import { MAX_LAYERS, MAX_VOCABULARY, RATE, type TokenDefaults, textFields } from './text-config.js';

/** Configuration of BERT and its kin. */
export interface BertConfig extends TextConfig {
  /** Attention heads; they divide `hiddenSize` evenly. */
  readonly heads: number;
  readonly intermediateSize: number;
  readonly activation: HiddenAct;
  readonly hiddenDropout: number;
  readonly attentionDropout: number;
  /** Before the last layer of a classifier. */
  readonly classifierDropout: number;
  readonly positions: number;
  readonly typeVocabularySize: number;
  readonly initializerRange: number;
  readonly layerNormEpsilon: number;
  /** Whether the words of a masked language model are those of the embeddings. */
  readonly tiedEmbeddings: boolean;
}

/** Where the architectures' defaults differ. */
export interface BertDefaults {
  readonly vocabularySize: number;
  readonly tokens: TokenDefaults & { readonly pad: number };
  /** Rows of the position table that no token takes. */
  readonly unusedPositions: (padToken: number) => number;
}

/** Reads the fields that the architectures share. @throws ConfigError naming what does not fit */
export function parseBert(modelType: string, raw: RawConfig, defaults: BertDefaults): BertConfig {
  const fields = new ConfigFields(modelType, raw);
  const hiddenSize = fields.integer('hidden_size', 768);
  const heads = fields.integer('num_attention_heads', 12);
  if (hiddenSize % heads !== 0) {
    fields.fail('num_attention_heads', `a divisor of hidden_size, which is ${hiddenSize}`);
  }
  fields.choice('position_embedding_type', ['absolute'], 'absolute');
  for (const field of ['is_decoder', 'add_cross_attention']) {
    if (fields.flag(field, false)) fields.fail(field, 'false: only encoders are built');
  }
  const positions = fields.integer('max_position_embeddings', 512);
  const text = textFields(fields, raw, defaults.tokens);
  const maxTokens = positions - defaults.unusedPositions(text.padToken ?? defaults.tokens.pad);
  if (maxTokens < 1)
    fields.fail('max_position_embeddings', 'more positions than the padding takes');
  const hiddenDropout = fields.number('hidden_dropout_prob', 0.1, RATE);
  return {
    ...text,
    vocabularySize: fields.integer('vocab_size', defaults.vocabularySize, { max: MAX_VOCABULARY }),
    maxTokens,
    hiddenSize,
    layers: fields.integer('num_hidden_layers', 12, { max: MAX_LAYERS }),
    heads,
    intermediateSize: fields.integer('intermediate_size', 3072),
    activation: fields.choice('hidden_act', HIDDEN_ACTS, 'gelu'),
    hiddenDropout,
    attentionDropout: fields.number('attention_probs_dropout_prob', 0.1, RATE),
    classifierDropout: fields.number('classifier_dropout', hiddenDropout, RATE),
    positions,
    typeVocabularySize: fields.integer('type_vocab_size', 2),
    initializerRange: fields.number('initializer_range', 0.02, { min: 0 }),
    layerNormEpsilon: fields.number('layer_norm_eps', 1e-12, { min: 0 }),
    tiedEmbeddings: fields.flag('tie_word_embeddings', true),
  };
}

/** The inverse of {@link parseBert}. */
export function writeBert(config: BertConfig): RawConfig {
  return {
    vocab_size: config.vocabularySize,
    hidden_size: config.hiddenSize,
    num_hidden_layers: config.layers,
    num_attention_heads: config.heads,
    intermediate_size: config.intermediateSize,
    hidden_act: config.activation,
    hidden_dropout_prob: config.hiddenDropout,
    attention_probs_dropout_prob: config.attentionDropout,
    classifier_dropout: config.classifierDropout,
    max_position_embeddings: config.positions,
    type_vocab_size: config.typeVocabularySize,
    initializer_range: config.initializerRange,
    layer_norm_eps: config.layerNormEpsilon,
    position_embedding_type: 'absolute',
    tie_word_embeddings: config.tiedEmbeddings,
  };
}

/**
 * Refuses a masked language model with a table of its own: releases of transformers differ in which of its
 * two biases they add.
 * @throws ConfigError naming the field
 */
export function requireTied(modelType: string, { tiedEmbeddings }: BertConfig): void {
  if (tiedEmbeddings) return;
  throw new ConfigError(
    `config.json of a ${modelType}: 'tie_word_embeddings' must be true for a masked language model, got false.`,
    { modelType, field: 'tie_word_embeddings', value: false },
  );
}
