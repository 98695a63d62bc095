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
import { add, tanh } from '../ops/index.js';
import { type BertConfig, parseBert, requireTied, writeBert } from './bert-config.js';
import { BERT_ROLES, BertEncoder, POOLER, type Pooler } from './bert-encoder.js';
import { defineTextModel } from './define-text-model.js';
import {
  headedTextModel,
  LinearHead,
  questionAnsweringHead,
  TextHeadPart,
  WordLogits,
} from './headed-text-model.js';
import { hiddenAct } from './hidden-act.js';
import type { BatchTensors } from './network.js';
import { tokenOf } from './pick-token.js';
import { startText } from './start.js';
import { askedRows, TEXT_INPUTS } from './text-model.js';

/** Classes of a whole text, from its first token. */
class PooledClassifier extends TextHeadPart {
  readonly classifier: Linear;
  private readonly dropout: Dropout;
  /** A function, as the pooler is a part of the trunk. */
  private readonly pool: (first: Tensor) => Tensor;

  constructor(pooler: Pooler, config: BertConfig) {
    super();
    this.classifier = new Linear(config.hiddenSize, config.labels.length);
    this.dropout = new Dropout(config.classifierDropout);
    this.pool = (first) => tanh(pooler.forward(first));
    startText(this, config.initializerRange);
  }

  override features(hidden: Tensor): Tensor {
    return tokenOf(hidden, 0);
  }

  override answer(first: Tensor, _batch: BatchTensors, context: Context): Tensor {
    return this.classifier.forward(this.dropout.forward(this.pool(first), context));
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

class Predictions extends Module {
  readonly transform: PredictionTransform;
  readonly decoder: WordLogits;
  readonly bias: Parameter;

  constructor(config: BertConfig, words: Parameter) {
    super();
    this.transform = new PredictionTransform(config);
    this.decoder = new WordLogits(words);
    this.bias = new Parameter([config.vocabularySize], zerosInit());
  }

  override forward(x: Tensor): Tensor {
    return add(this.decoder.forward(this.transform.forward(x)), this.bias.tensor);
  }
}

class PredictionHeads extends Module {
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
class MaskedLanguageHead extends TextHeadPart {
  readonly cls: PredictionHeads;

  constructor(config: BertConfig, words: Parameter) {
    super();
    this.cls = new PredictionHeads(config, words);
    startText(this, config.initializerRange);
  }

  override answer(hidden: Tensor, batch: BatchTensors): Tensor {
    return this.cls.forward(askedRows(hidden, batch));
  }
}

/** What layers of a head are made with. */
const linear = ({ hiddenSize, initializerRange }: BertConfig) => ({
  width: hiddenSize,
  deviation: initializerRange,
});

export default defineTextModel<BertConfig>({
  modelType: 'bert',
  kind: 'encoder',
  prefix: 'bert',
  inputs: [TEXT_INPUTS.ids, TEXT_INPUTS.mask, TEXT_INPUTS.types],
  parse: (raw) =>
    parseBert('bert', raw, {
      vocabularySize: 30522,
      tokens: { pad: 0 },
      unusedPositions: () => 0,
    }),
  write: writeBert,
  heads: {
    base: {
      architecture: 'BertModel',
      build: (c) => headedTextModel('bert', new BertEncoder(c)),
    },
    'sequence-classification': {
      architecture: 'BertForSequenceClassification',
      build: (c) => {
        const trunk = new BertEncoder(c, { pooler: true, firstOnly: true });
        return headedTextModel('bert', trunk, new PooledClassifier(trunk.pooler!, c));
      },
      outputs: /^classifier\./,
      parameters: /^(?:classifier|bert\.pooler)\./,
    },
    'token-classification': {
      architecture: 'BertForTokenClassification',
      build: (c) => {
        const options = { outputs: c.labels.length, dropout: c.classifierDropout };
        const head = new LinearHead('classifier', { ...linear(c), ...options });
        return headedTextModel('bert', new BertEncoder(c), head);
      },
      outputs: /^classifier\./,
      parameters: /^classifier\./,
    },
    'question-answering': {
      architecture: 'BertForQuestionAnswering',
      build: (c) => headedTextModel('bert', new BertEncoder(c), questionAnsweringHead(linear(c))),
      parameters: /^qa_outputs\./,
    },
    'masked-lm': {
      architecture: 'BertForMaskedLM',
      build: (c) => {
        requireTied('bert', c);
        const trunk = new BertEncoder(c);
        const words = trunk.embeddings.word_embeddings.weight;
        return headedTextModel('bert', trunk, new MaskedLanguageHead(c, words));
      },
      parameters: /^cls\./,
    },
  },
  ignored: /(?:position|token_type)_ids$|^cls\.predictions\.decoder\./,
  spare: POOLER,
  vocabulary: /\.word_embeddings\.weight$|^cls\.predictions\.bias$/,
  roles: BERT_ROLES,
  source: {
    paper: 'https://arxiv.org/abs/1810.04805',
    code: 'https://github.com/huggingface/transformers/blob/main/src/transformers/models/bert/modeling_bert.py',
  },
});
