/** GPT-2: a transformer decoder that continues texts. */
import { defineTextModel } from './define-text-model.js';
import { type Gpt2Config, Gpt2Decoder, parseGpt2, writeGpt2 } from './gpt2-decoder.js';
import {
  causalLanguageHead,
  headedTextModel,
  LinearHead,
  questionAnsweringHead,
  type TextHeadPart,
} from './headed-text-model.js';
import { lastToken } from './pick-token.js';
import { TEXT_INPUTS } from './text-model.js';

/** What layers of a head are made with. */
const linear = ({ hiddenSize, initializerRange }: Gpt2Config) => ({
  width: hiddenSize,
  deviation: initializerRange,
});

const with_ = (config: Gpt2Config, head: TextHeadPart | null = null) =>
  headedTextModel('transformer', new Gpt2Decoder(config), head);

export default defineTextModel<Gpt2Config>({
  modelType: 'gpt2',
  kind: 'decoder',
  prefix: 'transformer',
  inputs: [TEXT_INPUTS.ids, TEXT_INPUTS.mask],
  parse: parseGpt2,
  write: writeGpt2,
  heads: {
    base: { architecture: 'GPT2Model', build: (c) => with_(c) },
    'sequence-classification': {
      architecture: 'GPT2ForSequenceClassification',
      build: (c) =>
        with_(
          c,
          new LinearHead('score', {
            ...linear(c),
            outputs: c.labels.length,
            bias: false,
            features: (hidden, batch) => lastToken(hidden, batch, c.padToken),
          }),
        ),
      outputs: /^score\./,
      parameters: /^score\./,
    },
    'token-classification': {
      architecture: 'GPT2ForTokenClassification',
      build: (c) => {
        const options = { outputs: c.labels.length, dropout: c.classifierDropout };
        return with_(c, new LinearHead('classifier', { ...linear(c), ...options }));
      },
      outputs: /^classifier\./,
      parameters: /^classifier\./,
    },
    'question-answering': {
      architecture: 'GPT2ForQuestionAnswering',
      build: (c) => with_(c, questionAnsweringHead(linear(c))),
      parameters: /^qa_outputs\./,
    },
    'causal-lm': {
      architecture: 'GPT2LMHeadModel',
      build: (c) => {
        const trunk = new Gpt2Decoder(c);
        const options = { tied: c.tiedEmbeddings, deviation: c.initializerRange };
        const head = causalLanguageHead(trunk.wte.weight, options);
        return headedTextModel('transformer', trunk, head);
      },
      parameters: /^lm_head\./,
    },
  },
  // Masks that older checkpoints hold, and copies of the tied table.
  ignored: /\.attn\.(?:masked_)?bias$|^lm_head\.weight$/,
  vocabulary: /\.wte\.weight$|^lm_head\.weight$/,
  roles: {
    norm: /\.ln_(?:1|2|f)\./,
    stem: /\.w[tp]e\./,
    'attention.qkv': /\.attn\.c_attn\./,
    'attention.output': /\.attn\.c_proj\./,
    mlp: /\.mlp\.c_(?:fc|proj)\./,
  },
  source: {
    paper:
      'https://cdn.openai.com/better-language-models/language_models_are_unsupervised_multitask_learners.pdf',
    code: 'https://github.com/huggingface/transformers/blob/main/src/transformers/models/gpt2/modeling_gpt2.py',
  },
});
