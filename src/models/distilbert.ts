/** DistilBERT: BERT with every other layer left out, trained to answer as BERT does. */
import type { Tensor } from '../graph/index.js';
import {
  type Context,
  Dropout,
  LayerNorm,
  Linear,
  Module,
  normalInit,
  Parameter,
  zerosInit,
} from '../nn/index.js';
import { add, matmul, relu, transpose } from '../ops/index.js';
import { defineTextModel } from './define-text-model.js';
import {
  DISTILBERT_EPSILON,
  type DistilBertConfig,
  DistilBertEncoder,
  parseDistilBert,
  writeDistilBert,
} from './distilbert-encoder.js';
import {
  headedTextModel,
  LinearHead,
  questionAnsweringHead,
  TextHeadPart,
} from './headed-text-model.js';
import { hiddenAct } from './hidden-act.js';
import type { BatchTensors } from './network.js';
import { tokenOf } from './pick-token.js';
import { startText } from './start.js';
import { askedRows, TEXT_INPUTS } from './text-model.js';

/** Classes of a whole text, from its first token. */
class ClassificationHead extends TextHeadPart {
  readonly pre_classifier: Linear;
  readonly classifier: Linear;
  private readonly dropout: Dropout;

  constructor(config: DistilBertConfig) {
    super();
    this.pre_classifier = new Linear(config.hiddenSize, config.hiddenSize);
    this.classifier = new Linear(config.hiddenSize, config.labels.length);
    this.dropout = new Dropout(config.classifierDropout);
    startText(this, config.initializerRange);
  }

  override features(hidden: Tensor): Tensor {
    return tokenOf(hidden, 0);
  }

  override answer(first: Tensor, _batch: BatchTensors, context: Context): Tensor {
    const y = relu(this.pre_classifier.forward(first));
    return this.classifier.forward(this.dropout.forward(y, context));
  }
}

class Projector extends Module {
  readonly weight: Parameter;
  readonly bias: Parameter;

  constructor(weight: Parameter) {
    super();
    this.weight = weight;
    this.bias = new Parameter([weight.tensor.shape[0]!], zerosInit());
  }

  override forward(x: Tensor): Tensor {
    return add(matmul(x, transpose(this.weight.tensor)), this.bias.tensor);
  }
}

/** Words in place of masks. */
class MaskedLanguageHead extends TextHeadPart {
  readonly vocab_transform: Linear;
  readonly vocab_layer_norm: LayerNorm;
  readonly vocab_projector: Projector;
  private readonly activation: (x: Tensor) => Tensor;

  constructor(config: DistilBertConfig, words: Parameter) {
    super();
    const { hiddenSize, initializerRange, tiedEmbeddings } = config;
    this.vocab_transform = new Linear(hiddenSize, hiddenSize);
    this.vocab_layer_norm = new LayerNorm(hiddenSize, { epsilon: DISTILBERT_EPSILON });
    const own = () => new Parameter(words.tensor.shape, normalInit(initializerRange));
    this.vocab_projector = new Projector(tiedEmbeddings ? words : own());
    this.activation = hiddenAct(config.activation);
    startText(this, initializerRange);
  }

  override answer(hidden: Tensor, batch: BatchTensors): Tensor {
    const y = this.activation(this.vocab_transform.forward(askedRows(hidden, batch)));
    return this.vocab_projector.forward(this.vocab_layer_norm.forward(y));
  }
}

/** What layers of a head are made with. */
const linear = ({ hiddenSize, initializerRange }: DistilBertConfig) => ({
  width: hiddenSize,
  deviation: initializerRange,
});

const with_ = (config: DistilBertConfig, head: TextHeadPart | null = null) =>
  headedTextModel('distilbert', new DistilBertEncoder(config), head);

export default defineTextModel<DistilBertConfig>({
  modelType: 'distilbert',
  kind: 'encoder',
  prefix: 'distilbert',
  inputs: [TEXT_INPUTS.ids, TEXT_INPUTS.mask],
  parse: parseDistilBert,
  write: writeDistilBert,
  heads: {
    base: { architecture: 'DistilBertModel', build: (c) => with_(c) },
    'sequence-classification': {
      architecture: 'DistilBertForSequenceClassification',
      build: (c) => {
        const trunk = new DistilBertEncoder(c, { firstOnly: true });
        return headedTextModel('distilbert', trunk, new ClassificationHead(c));
      },
      outputs: /^classifier\./,
      parameters: /^(?:pre_)?classifier\./,
    },
    'token-classification': {
      architecture: 'DistilBertForTokenClassification',
      build: (c) => {
        const options = { outputs: c.labels.length, dropout: c.dropout };
        return with_(c, new LinearHead('classifier', { ...linear(c), ...options }));
      },
      outputs: /^classifier\./,
      parameters: /^classifier\./,
    },
    'question-answering': {
      architecture: 'DistilBertForQuestionAnswering',
      build: (c) => with_(c, questionAnsweringHead({ ...linear(c), dropout: c.questionDropout })),
      parameters: /^qa_outputs\./,
    },
    'masked-lm': {
      architecture: 'DistilBertForMaskedLM',
      build: (c) => {
        const trunk = new DistilBertEncoder(c);
        const words = trunk.embeddings.word_embeddings.weight;
        return headedTextModel('distilbert', trunk, new MaskedLanguageHead(c, words));
      },
      parameters: /^vocab_/,
    },
  },
  ignored: /position_ids$|^vocab_projector\.weight$/,
  vocabulary: /\.word_embeddings\.weight$|^vocab_projector\./,
  roles: {
    norm: /(?:LayerNorm|_layer_norm)\./,
    stem: /\.embeddings\./,
    'attention.query': /\.attention\.q_lin\./,
    'attention.key': /\.attention\.k_lin\./,
    'attention.value': /\.attention\.v_lin\./,
    'attention.output': /\.attention\.out_lin\./,
    mlp: /\.ffn\.lin\d\./,
  },
  source: {
    paper: 'https://arxiv.org/abs/1910.01108',
    code: 'https://github.com/huggingface/transformers/blob/main/src/transformers/models/distilbert/modeling_distilbert.py',
  },
});
