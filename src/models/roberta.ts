/** RoBERTa: BERT trained for longer, with bytes in place of unknown characters. */
import type { BertConfig } from './bert-config.js';
import { defineTextModel } from './define-text-model.js';
import { robertaDefinition } from './roberta-model.js';

export default defineTextModel<BertConfig>(
  robertaDefinition('roberta', 'Roberta', 50265, {
    paper: 'https://arxiv.org/abs/1907.11692',
    code: 'https://github.com/huggingface/transformers/blob/main/src/transformers/models/roberta/modeling_roberta.py',
  }),
);
