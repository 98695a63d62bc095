/** The configuration that BART and Marian share. */
import { ConfigFields, type FieldAliases } from './config-fields.js';
import type { RawConfig } from './define-model.js';
import type { TextConfig } from './define-text-model.js';
import { HIDDEN_ACTS, type HiddenAct } from './hidden-act.js';
import { MAX_LAYERS, MAX_VOCABULARY, RATE, type TokenDefaults, textFields } from './text-config.js';

/** The encoder or the decoder. */
export interface BartSide {
  readonly layers: number;
  readonly heads: number;
  readonly intermediateSize: number;
}

/** Configuration of BART and Marian. */
export interface BartConfig extends TextConfig {
  readonly encoder: BartSide;
  readonly decoder: BartSide;
  /** Rows of the decoder's table of words, where that is another. */
  readonly decoderVocabularySize: number;
  /** Encoder and decoder look words up in one table. */
  readonly sharedEmbeddings: boolean;
  /** Words are looked up and asked for in one table. */
  readonly tiedEmbeddings: boolean;
  readonly positions: number;
  readonly activation: HiddenAct;
  readonly dropout: number;
  readonly attentionDropout: number;
  readonly activationDropout: number;
  readonly classifierDropout: number;
  /** Words are multiplied by the root of the width before positions are added. */
  readonly scaleEmbedding: boolean;
  /** A norm after words and positions are added. */
  readonly embeddingNorm: boolean;
  readonly initializerRange: number;
}

/** Where the architectures' defaults differ. */
export interface BartDefaults {
  readonly vocabularySize: number;
  readonly tokens: TokenDefaults;
  readonly embeddingNorm: boolean;
}

function parseSide(fields: ConfigFields, side: 'encoder' | 'decoder', width: number): BartSide {
  const heads = fields.integer(`${side}_attention_heads`, 16);
  if (width % heads !== 0) {
    fields.fail(`${side}_attention_heads`, `a divisor of d_model, which is ${width}`);
  }
  return {
    layers: fields.integer(`${side}_layers`, 12, { max: MAX_LAYERS }),
    heads,
    intermediateSize: fields.integer(`${side}_ffn_dim`, 4096),
  };
}

/** Names of other architectures' fields that transformers takes as well: for the encoder, not for the decoder. */
const ALIASES: FieldAliases = {
  d_model: 'hidden_size',
  encoder_attention_heads: 'num_attention_heads',
  encoder_layers: 'num_hidden_layers',
};

/** Reads `config.json`. @throws ConfigError naming what does not fit */
export function parseBart(modelType: string, raw: RawConfig, defaults: BartDefaults): BartConfig {
  const fields = new ConfigFields(modelType, raw, { aliases: ALIASES });
  const hiddenSize = fields.integer('d_model', 1024);
  const positions = fields.integer('max_position_embeddings', 1024);
  const encoder = parseSide(fields, 'encoder', hiddenSize);
  const vocabularySize = fields.integer('vocab_size', defaults.vocabularySize, {
    max: MAX_VOCABULARY,
  });
  const sharedEmbeddings = fields.flag('share_encoder_decoder_embeddings', true);
  return {
    ...textFields(fields, raw, defaults.tokens),
    vocabularySize,
    decoderVocabularySize: sharedEmbeddings
      ? vocabularySize
      : fields.integer('decoder_vocab_size', vocabularySize, { max: MAX_VOCABULARY }),
    maxTokens: positions,
    hiddenSize,
    layers: encoder.layers,
    encoder,
    decoder: parseSide(fields, 'decoder', hiddenSize),
    sharedEmbeddings,
    tiedEmbeddings: fields.flag('tie_word_embeddings', true),
    positions,
    activation: fields.choice('activation_function', HIDDEN_ACTS, 'gelu'),
    dropout: fields.number('dropout', 0.1, RATE),
    attentionDropout: fields.number('attention_dropout', 0, RATE),
    activationDropout: fields.number('activation_dropout', 0, RATE),
    classifierDropout: fields.number('classifier_dropout', 0, RATE),
    scaleEmbedding: fields.flag('scale_embedding', false),
    embeddingNorm: defaults.embeddingNorm,
    initializerRange: fields.number('init_std', 0.02, { min: 0 }),
  };
}

/** The inverse of {@link parseBart}. */
export function writeBart(config: BartConfig): RawConfig {
  const side = (name: 'encoder' | 'decoder') => ({
    [`${name}_layers`]: config[name].layers,
    [`${name}_attention_heads`]: config[name].heads,
    [`${name}_ffn_dim`]: config[name].intermediateSize,
  });
  return {
    vocab_size: config.vocabularySize,
    d_model: config.hiddenSize,
    ...side('encoder'),
    ...side('decoder'),
    max_position_embeddings: config.positions,
    activation_function: config.activation,
    dropout: config.dropout,
    attention_dropout: config.attentionDropout,
    activation_dropout: config.activationDropout,
    classifier_dropout: config.classifierDropout,
    scale_embedding: config.scaleEmbedding,
    init_std: config.initializerRange,
    is_encoder_decoder: true,
    tie_word_embeddings: config.tiedEmbeddings,
  };
}
