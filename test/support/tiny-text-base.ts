/** A tiny text base of a real architecture as a folder with its tokenizer, so that a whole run takes moments. */
import { createTokenizer, type Tokenizer, trainBpe, trainWordPiece } from '../../src/data/index.js';
import { loadTextDefinition, type RawConfig, type TextHead } from '../../src/models/index.js';
import { initialize } from '../../src/nn/index.js';
import { saveTextModel } from '../../src/run/text/save-model.js';
import { tinyMarianTokenizer } from './tiny-marian-tokenizer.js';

const ENCODER: RawConfig = {
  hidden_size: 32,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  intermediate_size: 64,
  max_position_embeddings: 64,
};

const DECODER: RawConfig = {
  hidden_size: 32,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  num_key_value_heads: 1,
  intermediate_size: 64,
  max_position_embeddings: 64,
  bos_token_id: 1,
  eos_token_id: 1,
  pad_token_id: 0,
};

const T5: RawConfig = {
  d_model: 32,
  d_kv: 16,
  d_ff: 64,
  num_layers: 2,
  num_heads: 2,
  pad_token_id: 0,
  eos_token_id: 1,
  decoder_start_token_id: 0,
};

const SEQ2SEQ: RawConfig = {
  d_model: 32,
  encoder_layers: 2,
  decoder_layers: 2,
  encoder_attention_heads: 2,
  decoder_attention_heads: 2,
  encoder_ffn_dim: 64,
  decoder_ffn_dim: 64,
  max_position_embeddings: 64,
  pad_token_id: 0,
  bos_token_id: 1,
  eos_token_id: 1,
  decoder_start_token_id: 0,
};

/** A configuration, the head whose weights are written, and the kind of tokenizer. */
const TINY: Readonly<Record<string, { raw: RawConfig; head: TextHead; bytes?: true }>> = {
  bert: { raw: { ...ENCODER, pad_token_id: 0 }, head: 'masked-lm' },
  distilbert: {
    raw: {
      dim: 32,
      hidden_dim: 64,
      n_layers: 2,
      n_heads: 2,
      max_position_embeddings: 64,
      pad_token_id: 0,
    },
    head: 'masked-lm',
  },
  // Positions begin after the padding's.
  roberta: {
    raw: { ...ENCODER, max_position_embeddings: 66, pad_token_id: 0 },
    head: 'masked-lm',
    bytes: true,
  },
  'xlm-roberta': {
    raw: { ...ENCODER, max_position_embeddings: 66, pad_token_id: 0 },
    head: 'masked-lm',
    bytes: true,
  },
  gpt2: {
    raw: { n_embd: 32, n_layer: 2, n_head: 2, n_positions: 64, bos_token_id: 0, eos_token_id: 0 },
    head: 'causal-lm',
    bytes: true,
  },
  llama: { raw: DECODER, head: 'causal-lm', bytes: true },
  qwen2: { raw: DECODER, head: 'causal-lm', bytes: true },
  mistral: { raw: DECODER, head: 'causal-lm', bytes: true },
  t5: { raw: T5, head: 'seq2seq-lm', bytes: true },
  mt5: { raw: T5, head: 'seq2seq-lm', bytes: true },
  bart: { raw: SEQ2SEQ, head: 'seq2seq-lm', bytes: true },
  marian: { raw: { ...SEQ2SEQ, bos_token_id: null, eos_token_id: 0 }, head: 'seq2seq-lm' },
};

async function tokenizerOf(modelType: string, texts: readonly string[]): Promise<Tokenizer> {
  if (modelType === 'marian') return tinyMarianTokenizer(texts);
  const { head: headName, bytes } = TINY[modelType]!;
  const masks = headName === 'masked-lm';
  const specialTokens = ['<pad>', '</s>', ...(masks ? ['<mask>'] : [])];
  const json = bytes
    ? trainBpe(texts, { vocabularySize: 320, specialTokens })
    : trainWordPiece(texts, { vocabularySize: 200 });
  const names = bytes
    ? { pad_token: '<pad>', eos_token: '</s>', ...(masks ? { mask_token: '<mask>' } : {}) }
    : {
        pad_token: '[PAD]',
        unk_token: '[UNK]',
        cls_token: '[CLS]',
        sep_token: '[SEP]',
        mask_token: '[MASK]',
      };
  return createTokenizer({ tokenizer: json, config: names });
}

/** Writes it, with a tokenizer that was trained on `texts`. */
export async function writeTinyTextBase(
  folder: string,
  texts: readonly string[],
  modelType = 'bert',
): Promise<string> {
  const { raw, head: headName } = TINY[modelType]!;
  const tokenizer = await tokenizerOf(modelType, texts);
  const definition = await loadTextDefinition(modelType);
  const size = tokenizer.vocabularySize;
  // As in OPUS-MT's, padding is the last token, and a text begins with it.
  const last = modelType === 'marian' && {
    pad_token_id: size - 1,
    decoder_start_token_id: size - 1,
  };
  const config = definition.parse({ ...raw, vocab_size: size, ...last });
  const head = definition.heads[headName]!;
  const model = head.build(config);
  const weights = initialize(model, 1);
  const loaded = {
    definition,
    config,
    headName,
    head,
    model,
    weights,
    raw,
    untrained: [],
    unused: [],
  };
  await saveTextModel(folder, loaded, tokenizer, weights);
  return folder;
}
