/** What RoBERTa and XLM-RoBERTa share: BERT's encoder with other positions and other heads. */
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
import { add, cast, cumsum, gelu, mul, notEqual, tanh } from '../ops/index.js';
import { type BertConfig, parseBert, requireTied, writeBert } from './bert-config.js';
import { BERT_ROLES, BertEncoder, type BertEncoderOptions, POOLER } from './bert-encoder.js';
import type { TextModelDefinition } from './define-text-model.js';
import {
  headedTextModel,
  LinearHead,
  questionAnsweringHead,
  TextHeadPart,
  WordLogits,
} from './headed-text-model.js';
import type { BatchTensors } from './network.js';
import { tokenOf } from './pick-token.js';
import { startText } from './start.js';
import { askedRows, batchTensor, TEXT_INPUTS } from './text-model.js';

/** The id of padding where the configuration names none. */
const PAD = 1;

/**
 * Positions begin after the row of the padding, which keeps that row: fairseq numbers tokens like ids.
 * Source: `make_positions` of fairseq, as transformers has it.
 */
function positionsOf(batch: BatchTensors, padToken: number): Tensor {
  const ids = batchTensor(batch, TEXT_INPUTS.ids);
  const isToken = cast(notEqual(ids, padToken), 'int32');
  return add(mul(cumsum(isToken, 1), isToken), padToken);
}

function encoder(config: BertConfig, options: BertEncoderOptions = {}): BertEncoder {
  const padToken = config.padToken ?? PAD;
  return new BertEncoder(config, {
    ...options,
    positions: (batch) => positionsOf(batch, padToken),
  });
}

class Classifier extends Module {
  readonly dense: Linear;
  readonly out_proj: Linear;
  private readonly dropout: Dropout;

  constructor(config: BertConfig) {
    super();
    this.dense = new Linear(config.hiddenSize, config.hiddenSize);
    this.out_proj = new Linear(config.hiddenSize, config.labels.length);
    this.dropout = new Dropout(config.classifierDropout);
  }

  override forward(x: Tensor, context: Context): Tensor {
    const y = tanh(this.dense.forward(this.dropout.forward(x, context)));
    return this.out_proj.forward(this.dropout.forward(y, context));
  }
}

/** Classes of a whole text, from its first token. */
class ClassificationHead extends TextHeadPart {
  readonly classifier: Classifier;

  constructor(config: BertConfig) {
    super();
    this.classifier = new Classifier(config);
    startText(this, config.initializerRange);
  }

  override features(hidden: Tensor): Tensor {
    return tokenOf(hidden, 0);
  }

  override answer(first: Tensor, _batch: BatchTensors, context: Context): Tensor {
    return this.classifier.forward(first, context);
  }
}

class LanguageModel extends Module {
  readonly dense: Linear;
  readonly layer_norm: LayerNorm;
  readonly decoder: WordLogits;
  readonly bias: Parameter;

  constructor(config: BertConfig, words: Parameter) {
    super();
    this.dense = new Linear(config.hiddenSize, config.hiddenSize);
    this.layer_norm = new LayerNorm(config.hiddenSize, { epsilon: config.layerNormEpsilon });
    this.decoder = new WordLogits(words);
    this.bias = new Parameter([config.vocabularySize], zerosInit());
  }

  override forward(x: Tensor): Tensor {
    // GELU whatever `hidden_act` says, as in transformers.
    const y = this.layer_norm.forward(gelu(this.dense.forward(x)));
    return add(this.decoder.forward(y), this.bias.tensor);
  }
}

/** Words in place of masks. */
class MaskedLanguageHead extends TextHeadPart {
  readonly lm_head: LanguageModel;

  constructor(config: BertConfig, words: Parameter) {
    super();
    this.lm_head = new LanguageModel(config, words);
    startText(this, config.initializerRange);
  }

  override answer(hidden: Tensor, batch: BatchTensors): Tensor {
    return this.lm_head.forward(askedRows(hidden, batch));
  }
}

/** What layers of a head are made with. */
const linear = ({ hiddenSize, initializerRange }: BertConfig) => ({
  width: hiddenSize,
  deviation: initializerRange,
});

const with_ = (config: BertConfig, head: TextHeadPart | null = null) =>
  headedTextModel('roberta', encoder(config), head);

/**
 * The definition of an architecture of this family.
 * @param prefix of the names of classes in transformers: `Roberta` or `XLMRoberta`
 */
export function robertaDefinition(
  modelType: string,
  prefix: string,
  vocabularySize: number,
  source: TextModelDefinition['source'],
): TextModelDefinition<BertConfig> {
  return {
    modelType,
    kind: 'encoder',
    prefix: 'roberta',
    // Published models have one type of text, so that a pair is told apart by its separators alone.
    inputs: [TEXT_INPUTS.ids, TEXT_INPUTS.mask],
    parse: (raw) =>
      parseBert(modelType, raw, {
        vocabularySize,
        tokens: { pad: PAD, bos: 0, eos: 2 },
        unusedPositions: (padToken) => padToken + 1,
      }),
    write: writeBert,
    heads: {
      base: { architecture: `${prefix}Model`, build: (c) => with_(c) },
      'sequence-classification': {
        architecture: `${prefix}ForSequenceClassification`,
        build: (c) =>
          headedTextModel('roberta', encoder(c, { firstOnly: true }), new ClassificationHead(c)),
        outputs: /^classifier\.out_proj\./,
        parameters: /^classifier\./,
      },
      'token-classification': {
        architecture: `${prefix}ForTokenClassification`,
        build: (c) => {
          const options = { outputs: c.labels.length, dropout: c.classifierDropout };
          return with_(c, new LinearHead('classifier', { ...linear(c), ...options }));
        },
        outputs: /^classifier\./,
        parameters: /^classifier\./,
      },
      'question-answering': {
        architecture: `${prefix}ForQuestionAnswering`,
        build: (c) => with_(c, questionAnsweringHead(linear(c))),
        parameters: /^qa_outputs\./,
      },
      'masked-lm': {
        architecture: `${prefix}ForMaskedLM`,
        build: (c) => {
          requireTied(modelType, c);
          const trunk = encoder(c);
          const words = trunk.embeddings.word_embeddings.weight;
          return headedTextModel('roberta', trunk, new MaskedLanguageHead(c, words));
        },
        parameters: /^lm_head\./,
      },
    },
    ignored: /(?:position|token_type)_ids$|^lm_head\.decoder\./,
    spare: POOLER,
    vocabulary: /\.word_embeddings\.weight$|^lm_head\.bias$/,
    roles: BERT_ROLES,
    source,
  };
}
