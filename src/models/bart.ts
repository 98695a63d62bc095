/** BART: an encoder-decoder trained to restore damaged text. */
import type { Tensor } from '../graph/index.js';
import { constant } from '../graph/index.js';
import { type Context, Dropout, Embedding, Linear, Module } from '../nn/index.js';
import {
  add,
  cast,
  embedding,
  equal,
  gather,
  max,
  mul,
  reshape,
  slice,
  tanh,
} from '../ops/index.js';
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
import { shiftedIds } from './encoder-decoder.js';
import type { BatchTensors } from './network.js';
import { startText } from './start.js';
import { batchTensor, TEXT_INPUTS } from './text-model.js';

/** Rows of the table before that of the first token: fairseq counted positions after its padding id. */
const OFFSET = 2;

/** Learned positions. */
class LearnedPositions extends Embedding implements Positions {
  constructor(config: BartConfig) {
    super(config.positions + OFFSET, config.hiddenSize);
  }

  at(positions: Tensor | null, tokens: number): Tensor {
    const table = this.weight.tensor;
    if (positions) return embedding(table, add(positions, OFFSET));
    return slice(table, { starts: [OFFSET], ends: [OFFSET + tokens], axes: [0] });
  }
}

const learned = (config: BartConfig) => new LearnedPositions(config);

/** Hidden states of the decoder. */
class BartModel extends WithBart {
  private readonly start: number;

  constructor(config: BartConfig) {
    super(config, learned);
    this.start = config.decoderStartToken ?? 0;
  }

  /** The decoder reads the text itself, one place later, where it is not given another. */
  override throughHead(encoded: Tensor, batch: BatchTensors, context: Context): Tensor {
    const given = batch[TEXT_INPUTS.decoderIds];
    const ids = given ?? shiftedIds(batchTensor(batch, TEXT_INPUTS.ids), this.start);
    return this.decode(encoded, ids, batch, context);
  }
}

class ClassificationHead extends Module {
  readonly dense: Linear;
  readonly out_proj: Linear;
  private readonly dropout: Dropout;

  constructor(config: BartConfig) {
    super();
    this.dense = new Linear(config.hiddenSize, config.hiddenSize);
    this.out_proj = new Linear(config.hiddenSize, config.labels.length);
    this.dropout = new Dropout(config.classifierDropout);
    startText(this, config.initializerRange);
  }

  override forward(x: Tensor, context: Context): Tensor {
    const y = tanh(this.dense.forward(this.dropout.forward(x, context)));
    return this.out_proj.forward(this.dropout.forward(y, context));
  }
}

/** Classes of a whole text, from what the decoder makes of its last end token. */
class BartForSequenceClassification extends BartModel {
  readonly classification_head: ClassificationHead;
  private readonly end: number;

  constructor(config: BartConfig) {
    super(config);
    this.classification_head = new ClassificationHead(config);
    this.end = config.eosTokens[0] ?? 2;
  }

  override throughHead(encoded: Tensor, batch: BatchTensors, context: Context): Tensor {
    const hidden = super.throughHead(encoded, batch, context);
    const [rows, tokens, width] = hidden.shape as [number, number, number];
    const ids = batchTensor(batch, TEXT_INPUTS.ids);
    const count = (n: number, step: number) => Array.from({ length: n }, (_, i) => i * step);
    const places = constant(count(tokens, 1), 'int32', [1, tokens]);
    const last = max(mul(cast(equal(ids, this.end), 'int32'), places), { axes: 1 });
    const row = add(last, constant(count(rows, tokens), 'int32', [rows]));
    const ends = gather(reshape(hidden, [rows * tokens, width]), row);
    return this.classification_head.forward(ends, context);
  }

  override layerGroups(): string[] {
    return [...super.layerGroups(), 'classification_head'];
  }
}

/** Start and end of an answer. */
class BartForQuestionAnswering extends BartModel {
  readonly qa_outputs: Linear;

  constructor(config: BartConfig) {
    super(config);
    this.qa_outputs = new Linear(config.hiddenSize, 2);
    startText(this.qa_outputs, config.initializerRange);
  }

  override throughHead(encoded: Tensor, batch: BatchTensors, context: Context): Tensor {
    return this.qa_outputs.forward(super.throughHead(encoded, batch, context));
  }

  override layerGroups(): string[] {
    return [...super.layerGroups(), 'qa_outputs'];
  }
}

export default defineTextModel<BartConfig>({
  modelType: 'bart',
  kind: 'encoder-decoder',
  prefix: 'model',
  inputs: [TEXT_INPUTS.ids, TEXT_INPUTS.mask, TEXT_INPUTS.decoderIds, TEXT_INPUTS.decoderMask],
  parse: (raw) =>
    parseBart('bart', raw, {
      vocabularySize: 50265,
      tokens: { pad: 1, bos: 0, eos: 2, decoderStart: 2 },
      embeddingNorm: true,
    }),
  write: writeBart,
  heads: {
    base: { architecture: 'BartModel', build: (c) => new BartModel(c) },
    'seq2seq-lm': {
      architecture: 'BartForConditionalGeneration',
      build: (c) => new BartLanguageModel(c, learned),
    },
    'sequence-classification': {
      architecture: 'BartForSequenceClassification',
      build: (c) => new BartForSequenceClassification(c),
      outputs: /^classification_head\.out_proj\./,
      parameters: /^classification_head\./,
    },
    'question-answering': {
      architecture: 'BartForQuestionAnswering',
      build: (c) => new BartForQuestionAnswering(c),
      parameters: /^qa_outputs\./,
    },
  },
  renames: SHARED_TABLE,
  // Checkpoints of the headless model lack it.
  absent: { final_logits_bias: null, 'lm_head.weight': 'model.shared.weight' },
  ignored: /^lm_head\.weight$|^final_logits_bias$|(?:encoder|decoder)\.version$/,
  vocabulary: BART_VOCABULARY,
  roles: BART_ROLES,
  source: {
    paper: 'https://arxiv.org/abs/1910.13461',
    code: 'https://github.com/huggingface/transformers/blob/main/src/transformers/models/bart/modeling_bart.py',
  },
});
