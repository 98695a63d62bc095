/** XLM-RoBERTa: RoBERTa trained on a hundred languages, with SentencePiece's tokens. */
import type { BertConfig } from './bert-config.js';
import { defineTextModel } from './define-text-model.js';
import { robertaDefinition } from './roberta-model.js';

export default defineTextModel<BertConfig>(
  robertaDefinition('xlm-roberta', 'XLMRoberta', 30522, {
    paper: 'https://arxiv.org/abs/1911.02116',
    code: 'https://github.com/huggingface/transformers/blob/main/src/transformers/models/xlm_roberta/modeling_xlm_roberta.py',
  }),
);
