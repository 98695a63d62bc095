/** Heads and roles that Llama and its kin share. */
import type { TextModelDefinition } from './define-text-model.js';
import {
  causalLanguageHead,
  headedTextModel,
  LinearHead,
  questionAnsweringHead,
  type TextHeadPart,
} from './headed-text-model.js';
import type { LlamaConfig } from './llama-config.js';
import { LlamaDecoder } from './llama-decoder.js';
import { lastToken } from './pick-token.js';
import { TEXT_INPUTS } from './text-model.js';

const PREFIX = 'model';

/** What layers of a head are made with. */
const linear = ({ hiddenSize, initializerRange }: LlamaConfig) => ({
  width: hiddenSize,
  deviation: initializerRange,
});

const with_ = (config: LlamaConfig, head: TextHeadPart | null = null) =>
  headedTextModel(PREFIX, new LlamaDecoder(config), head);

/**
 * What the architectures do not differ in.
 * @param prefix of the names of classes in transformers
 * @param questionPrefix of the trunk's names in checkpoints that answer questions
 */
export function llamaParts(
  prefix: string,
  questionPrefix = PREFIX,
): Omit<TextModelDefinition<LlamaConfig>, 'modelType' | 'parse' | 'write' | 'source'> {
  return {
    kind: 'decoder',
    prefix: PREFIX,
    inputs: [TEXT_INPUTS.ids, TEXT_INPUTS.mask],
    heads: {
      base: { architecture: `${prefix}Model`, build: (c) => with_(c) },
      'sequence-classification': {
        architecture: `${prefix}ForSequenceClassification`,
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
        architecture: `${prefix}ForTokenClassification`,
        build: (c) => {
          const options = { outputs: c.labels.length, dropout: c.classifierDropout };
          return with_(c, new LinearHead('score', { ...linear(c), ...options }));
        },
        outputs: /^score\./,
        parameters: /^score\./,
      },
      'question-answering': {
        architecture: `${prefix}ForQuestionAnswering`,
        build: (c) => with_(c, questionAnsweringHead(linear(c))),
        parameters: /^qa_outputs\./,
        savedPrefix: questionPrefix,
      },
      'causal-lm': {
        architecture: `${prefix}ForCausalLM`,
        build: (c) => {
          const trunk = new LlamaDecoder(c);
          const options = { tied: c.tiedEmbeddings, deviation: c.initializerRange };
          const head = causalLanguageHead(trunk.embed_tokens.weight, options);
          return headedTextModel(PREFIX, trunk, head);
        },
        parameters: /^lm_head\./,
      },
    },
    // The prefix of models that answer questions.
    renames: [[/^transformer\./, `${PREFIX}.`]],
    // Angles that older checkpoints hold, and copies of a tied table.
    ignored: /\.rotary_emb\.(?:inv_freq|(?:cos|sin)_cached)$|^lm_head\.weight$/,
    vocabulary: /\.embed_tokens\.weight$|^lm_head\.weight$/,
    roles: {
      norm: /layernorm\.|^model\.norm\./,
      stem: /\.embed_tokens\./,
      'attention.query': /\.self_attn\.q_proj\./,
      'attention.key': /\.self_attn\.k_proj\./,
      'attention.value': /\.self_attn\.v_proj\./,
      'attention.output': /\.self_attn\.o_proj\./,
      mlp: /\.mlp\.(?:gate|up|down)_proj\./,
    },
  };
}
