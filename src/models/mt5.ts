/** mT5: T5 with gated layers, trained on a hundred languages; a table of its own for the answers. */
import { defineTextModel } from './define-text-model.js';
import { parseT5, t5Definition } from './t5.js';
import type { T5Config } from './t5-stack.js';

export default defineTextModel<T5Config>(
  t5Definition('mt5', { base: 'MT5Model', lm: 'MT5ForConditionalGeneration' }, (raw) => ({
    ...parseT5('mt5', raw, {
      vocabularySize: 250112,
      intermediateSize: 1024,
      layers: 8,
      heads: 6,
      feedForward: 'gated-gelu',
    }),
    // Whatever the file says: the published weights have two tables, and nothing is scaled.
    tiedEmbeddings: false,
  })),
);
