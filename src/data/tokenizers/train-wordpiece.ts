/** Training a WordPiece tokenizer, as BERT's. */
import { ConfigError } from '../../errors.js';
import { checkVocabularySize, countPieces, firstIds } from './count-pieces.js';
import type { JsonObject } from './fields.js';
import { templateProcessing } from './from-vocabulary-files.js';
import { learnMerges } from './learn-merges.js';

/** What a WordPiece is trained for. */
export interface TrainWordPieceOptions {
  /** Entries, special tokens among them. */
  readonly vocabularySize: number;
  /** They get the first ids; default BERT's five. `[UNK]` must be among them. */
  readonly specialTokens?: readonly string[];
  /** Lower case without accents, as BERT uncased; default true. */
  readonly lowercase?: boolean;
  /** Pairs that occur less often are not merged; default 2. */
  readonly minFrequency?: number;
}

/**
 * The tokenizer.json of a WordPiece that fits `texts`: learned by frequency, as Hugging Face's trainer
 * does, since Google's was never published. The same texts give the same tokenizer.
 * @throws ConfigError for a vocabulary smaller than the special tokens; DataError without text
 */
export function trainWordPiece(
  texts: Iterable<string>,
  {
    vocabularySize,
    specialTokens = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'],
    lowercase = true,
    minFrequency = 2,
  }: TrainWordPieceOptions,
): JsonObject {
  checkVocabularySize(vocabularySize, specialTokens);
  if (!specialTokens.includes('[UNK]')) {
    throw new ConfigError("A WordPiece needs '[UNK]' among its special tokens.", { specialTokens });
  }
  const normalizer = {
    type: 'BertNormalizer',
    clean_text: true,
    handle_chinese_chars: true,
    strip_accents: null,
    lowercase,
  };
  const pre_tokenizer = { type: 'BertPreTokenizer' };
  const counts = countPieces(texts, { normalizer, pre_tokenizer });
  const { tokens } = learnMerges(counts, {
    vocabularySize,
    specialTokens,
    prefix: '##',
    minFrequency,
  });
  const ids = new Map(specialTokens.map((token, id) => [token, id]));
  const [cls, sep] = [ids.get('[CLS]'), ids.get('[SEP]')];
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: firstIds(specialTokens),
    normalizer,
    pre_tokenizer,
    post_processor:
      cls === undefined || sep === undefined
        ? null
        : templateProcessing(
            ['[CLS]', ['A', 0], '[SEP]'],
            ['[CLS]', ['A', 0], '[SEP]', ['B', 1], '[SEP]'],
            { '[CLS]': cls, '[SEP]': sep },
            1,
          ),
    decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
    model: {
      type: 'WordPiece',
      unk_token: '[UNK]',
      continuing_subword_prefix: '##',
      max_input_chars_per_word: 100,
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
    },
  };
}
