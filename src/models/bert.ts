/** BERT: a bidirectional transformer encoder, trained by guessing masked words. */
import type { Tensor } from '../graph/index.js';
import {
  type Context,
  Dropout,
  LayerNorm,
  Linear,
  Module,
  Parameter,
  zerosInit,
} from '../nn/index.js';
import { add, matmul, tanh, transpose } from '../ops/index.js';
import {
  BERT_ROLES,
  BERT_VOCABULARY,
  type BertConfig,
  BertEncoder,
  parseBert,
  startText,
  tokenOf,
  writeBert,
} from './bert-encoder.js';
import { defineTextModel } from './define-text-model.js';
import { hiddenAct } from './hidden-act.js';
import type { BatchTensors } from './network.js';
import { askedRows, TEXT_INPUTS, TextModel } from './text-model.js';

/** The encoder under `bert`, as all of BERT's classes keep it. */
abstract class WithBert extends TextModel {
  readonly bert: BertEncoder;

  constructor(config: BertConfig, options: { readonly pooler?: boolean } = {}) {
    super();
    this.bert = new BertEncoder(config, options);
  }

  override throughTrunk(batch: BatchTensors, context: Context): Tensor {
    return this.bert.encode(batch, batch[TEXT_INPUTS.positions] ?? null, context);
  }

  override layerGroups(): string[] {
    return this.bert.groups('bert');
  }
}

class BertModel extends WithBert {
  override throughHead(features: Tensor): Tensor {
    return features;
  }
}

/** Classes of a whole text, from its first token. */
class BertForSequenceClassification extends WithBert {
  readonly classifier: Linear;
  private readonly dropout: Dropout;

  constructor(config: BertConfig) {
    super(config, { pooler: true });
    this.classifier = new Linear(config.hiddenSize, config.labels.length);
    this.dropout = new Dropout(config.classifierDropout);
    startText(this.classifier, config.initializerRange);
  }

  override throughTrunk(batch: BatchTensors, context: Context): Tensor {
    return tokenOf(super.throughTrunk(batch, context), 0);
  }

  override throughHead(first: Tensor, _batch: BatchTensors, context: Context): Tensor {
    const pooled = tanh(this.bert.pooler!.forward(first));
    return this.classifier.forward(this.dropout.forward(pooled, context));
  }

  override layerGroups(): string[] {
    return [...super.layerGroups(), 'classifier'];
  }
}

/** Classes of each token. */
class BertForTokenClassification extends WithBert {
  readonly classifier: Linear;
  private readonly dropout: Dropout;

  constructor(config: BertConfig) {
    super(config);
    this.classifier = new Linear(config.hiddenSize, config.labels.length);
    this.dropout = new Dropout(config.classifierDropout);
    startText(this.classifier, config.initializerRange);
  }

  override throughHead(hidden: Tensor, _batch: BatchTensors, context: Context): Tensor {
    return this.classifier.forward(this.dropout.forward(hidden, context));
  }

  override layerGroups(): string[] {
    return [...super.layerGroups(), 'classifier'];
  }
}

/** Start and end of an answer. */
class BertForQuestionAnswering extends WithBert {
  readonly qa_outputs: Linear;

  constructor(config: BertConfig) {
    super(config);
    this.qa_outputs = new Linear(config.hiddenSize, 2);
    startText(this.qa_outputs, config.initializerRange);
  }

  override throughHead(hidden: Tensor): Tensor {
    return this.qa_outputs.forward(hidden);
  }

  override layerGroups(): string[] {
    return [...super.layerGroups(), 'qa_outputs'];
  }
}

class PredictionTransform extends Module {
  readonly dense: Linear;
  readonly LayerNorm: LayerNorm;
  private readonly activation: (x: Tensor) => Tensor;

  constructor(config: BertConfig) {
    super();
    this.dense = new Linear(config.hiddenSize, config.hiddenSize);
    this.LayerNorm = new LayerNorm(config.hiddenSize, { epsilon: config.layerNormEpsilon });
    this.activation = hiddenAct(config.activation);
  }

  override forward(x: Tensor): Tensor {
    return this.LayerNorm.forward(this.activation(this.dense.forward(x)));
  }
}

/** A table of its own for the words, where it is not the embeddings'. */
class Decoder extends Module {
  readonly weight: Parameter;

  constructor(weight: Parameter) {
    super();
    this.weight = weight;
  }

  override forward(x: Tensor): Tensor {
    return matmul(x, transpose(this.weight.tensor));
  }
}

class Predictions extends Module {
  readonly transform: PredictionTransform;
  readonly decoder: Decoder;
  readonly bias: Parameter;

  constructor(config: BertConfig, words: Parameter) {
    super();
    const { vocabularySize, hiddenSize } = config;
    this.transform = new PredictionTransform(config);
    startText(this.transform, config.initializerRange);
    this.decoder = new Decoder(
      config.tiedEmbeddings ? words : new Parameter([vocabularySize, hiddenSize], words.init),
    );
    this.bias = new Parameter([vocabularySize], zerosInit());
  }

  override forward(x: Tensor): Tensor {
    return add(this.decoder.forward(this.transform.forward(x)), this.bias.tensor);
  }
}

class LanguageModelHead extends Module {
  readonly predictions: Predictions;

  constructor(config: BertConfig, words: Parameter) {
    super();
    this.predictions = new Predictions(config, words);
  }

  override forward(x: Tensor): Tensor {
    return this.predictions.forward(x);
  }
}

/** Words in place of masks. */
class BertForMaskedLM extends WithBert {
  readonly cls: LanguageModelHead;

  constructor(config: BertConfig) {
    super(config);
    this.cls = new LanguageModelHead(config, this.bert.embeddings.word_embeddings.weight);
  }

  override throughHead(hidden: Tensor, batch: BatchTensors): Tensor {
    return this.cls.forward(askedRows(hidden, batch));
  }

  override layerGroups(): string[] {
    return [...super.layerGroups(), 'cls'];
  }
}

export default defineTextModel<BertConfig>({
  modelType: 'bert',
  kind: 'encoder',
  prefix: 'bert',
  inputs: [TEXT_INPUTS.ids, TEXT_INPUTS.mask, TEXT_INPUTS.types],
  parse: (raw) =>
    parseBert('bert', raw, {
      vocabularySize: 30522,
      positions: 512,
      typeVocabularySize: 2,
      layerNormEpsilon: 1e-12,
      tokens: { pad: 0 },
      unusedPositions: () => 0,
    }),
  write: writeBert,
  heads: {
    base: { architecture: 'BertModel', build: (c) => new BertModel(c) },
    'sequence-classification': {
      architecture: 'BertForSequenceClassification',
      build: (c) => new BertForSequenceClassification(c),
      outputs: /^classifier\./,
      parameters: /^(?:classifier|bert\.pooler)\./,
    },
    'token-classification': {
      architecture: 'BertForTokenClassification',
      build: (c) => new BertForTokenClassification(c),
      outputs: /^classifier\./,
      parameters: /^classifier\./,
    },
    'question-answering': {
      architecture: 'BertForQuestionAnswering',
      build: (c) => new BertForQuestionAnswering(c),
      parameters: /^qa_outputs\./,
    },
    'masked-lm': {
      architecture: 'BertForMaskedLM',
      build: (c) => new BertForMaskedLM(c),
      parameters: /^cls\./,
    },
  },
  ignored: /position_ids$|^cls\.predictions\.decoder\./,
  vocabulary: BERT_VOCABULARY,
  roles: BERT_ROLES,
  source: {
    paper: 'https://arxiv.org/abs/1810.04805',
    code: 'https://github.com/huggingface/transformers/blob/main/src/transformers/models/bert/modeling_bert.py',
  },
});
