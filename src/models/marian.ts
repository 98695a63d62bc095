/** Marian: the encoder-decoder of the OPUS-MT translators. */
import { constantOf, type HostTensor, hostTensor, type Tensor } from '../graph/index.js';
import { type Context, Module } from '../nn/index.js';
import { embedding } from '../ops/index.js';
import { type BartConfig, parseBart, writeBart } from './bart-config.js';
import {
  BART_ROLES,
  BART_VOCABULARY,
  BartLanguageModel,
  SHARED_TABLE,
  WithBart,
} from './bart-language-model.js';
import type { Positions } from './bart-stack.js';
import { defineTextModel } from './define-text-model.js';
import type { BatchTensors } from './network.js';
import { TEXT_INPUTS } from './text-model.js';

/**
 * Positions as waves, sines in the first half of the channels and cosines in the second; never trained.
 * Source: Vaswani et al., "Attention is all you need", 2017; transformers' modeling_marian.py for the order.
 */
export function sinusoids(positions: number, width: number): HostTensor {
  const data = new Float32Array(positions * width);
  const sines = Math.ceil(width / 2);
  for (let p = 0; p < positions; p++) {
    for (let c = 0; c < width; c++) {
      const wave = c < sines ? c : c - sines;
      const angle = p / 10000 ** ((2 * wave) / width);
      data[p * width + c] = c < sines ? Math.sin(angle) : Math.cos(angle);
    }
  }
  return hostTensor('float32', [positions, width], data);
}

class SinusoidalPositions extends Module implements Positions {
  private readonly table: HostTensor;

  constructor(config: BartConfig) {
    super();
    this.table = sinusoids(config.positions, config.hiddenSize);
  }

  override forward(positions: Tensor): Tensor {
    return embedding(constantOf(this.table), positions);
  }

  at(positions: Tensor | null, tokens: number): Tensor {
    if (positions) return this.forward(positions);
    const width = this.table.shape[1]!;
    const rows = (this.table.data as Float32Array).slice(0, tokens * width);
    return constantOf(hostTensor('float32', [tokens, width], rows));
  }
}

const waves = (config: BartConfig) => new SinusoidalPositions(config);

/** Hidden states of the decoder. */
class MarianModel extends WithBart {
  constructor(config: BartConfig) {
    super(config, waves);
  }

  override throughHead(encoded: Tensor, batch: BatchTensors, context: Context): Tensor {
    return this.decoded(encoded, batch, context);
  }
}

export default defineTextModel<BartConfig>({
  modelType: 'marian',
  kind: 'encoder-decoder',
  prefix: 'model',
  inputs: [TEXT_INPUTS.ids, TEXT_INPUTS.mask, TEXT_INPUTS.decoderIds, TEXT_INPUTS.decoderMask],
  parse: (raw) =>
    parseBart('marian', raw, {
      vocabularySize: 58101,
      tokens: { pad: 58100, eos: 0, decoderStart: 58100 },
      embeddingNorm: false,
    }),
  write: (config) => ({
    ...writeBart(config),
    decoder_vocab_size: config.decoderVocabularySize,
    share_encoder_decoder_embeddings: config.sharedEmbeddings,
  }),
  heads: {
    base: { architecture: 'MarianModel', build: (c) => new MarianModel(c) },
    'seq2seq-lm': {
      architecture: 'MarianMTModel',
      build: (c) => new BartLanguageModel(c, waves),
    },
  },
  absent: { final_logits_bias: null },
  // Where the stacks have no tables of their own.
  renames: SHARED_TABLE,
  // Positions are computed.
  ignored: /embed_positions\.weight$|^lm_head\.weight$|^final_logits_bias$/,
  vocabulary: BART_VOCABULARY,
  roles: BART_ROLES,
  source: {
    paper: 'https://arxiv.org/abs/1804.00344',
    code: 'https://github.com/huggingface/transformers/blob/main/src/transformers/models/marian/modeling_marian.py',
  },
});
