/** A BERT of one narrow layer over a dozen words, for tests of the loop. */
import { createTokenizer, trainWordPiece } from '../../src/data/index.js';
import { loadTextDefinition, type RawConfig, type TextHead } from '../../src/models/index.js';

export const WORDS = [
  ...['ann', 'saw', 'the', 'dull', 'film', 'today'],
  ...['joe', 'left', 'early', 'and', 'wept'],
];

export const tokenizer = createTokenizer({
  tokenizer: trainWordPiece([WORDS.join(' '), WORDS.join(' ')], { vocabularySize: 90 }),
  config: { pad_token: '[PAD]', cls_token: '[CLS]', sep_token: '[SEP]', unk_token: '[UNK]' },
});

/** The network with a head, from no weights. */
export async function tinyBert(head: TextHead, raw: RawConfig = {}) {
  const definition = await loadTextDefinition('bert');
  const config = definition.parse({
    hidden_size: 16,
    num_hidden_layers: 1,
    num_attention_heads: 2,
    intermediate_size: 24,
    max_position_embeddings: 32,
    vocab_size: tokenizer.vocabularySize,
    pad_token_id: 0,
    ...raw,
  });
  return definition.heads[head]!.build(config);
}
