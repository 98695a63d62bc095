/** The models WordPiece (BERT) and WordLevel. */
import { unitsAt } from './aligned-text.js';
import { countField, type JsonObject, textField, tokenizerFault } from './fields.js';
import { cachedTokenize, type PieceTokens, type TokenModel } from './model.js';
import { readVocabulary } from './vocabulary-table.js';

/** Number of code points. */
function lengthOf(text: string): number {
  let n = 0;
  for (let i = 0; i < text.length; i += unitsAt(text, i)) n++;
  return n;
}

function unknownId(
  ids: ReadonlyMap<string, number>,
  config: JsonObject,
  field: string,
): { unknown: number } {
  const token = textField(config.unk_token, `${field}.unk_token`, '[UNK]');
  const unknown = ids.get(token);
  if (unknown === undefined) {
    throw tokenizerFault(`${field}.unk_token`, `is '${token}', which is not in the vocabulary.`);
  }
  return { unknown };
}

/**
 * WordPiece: the longest entry that begins the word, then the longest that continues it; a word
 * that cannot be made of entries is unknown as a whole (Wu et al. 2016, as in BERT's code).
 * @throws WeightsError naming the field that is wrong
 */
export function readWordPiece(config: JsonObject, field: string): TokenModel {
  const vocabulary = readVocabulary(config.vocab, `${field}.vocab`);
  const { unknown } = unknownId(vocabulary.ids, config, field);
  const prefix = textField(
    config.continuing_subword_prefix,
    `${field}.continuing_subword_prefix`,
    '##',
  );
  const longest = countField(
    config.max_input_chars_per_word,
    `${field}.max_input_chars_per_word`,
    100,
  );
  const { ids } = vocabulary;
  // No search begins with more than an entry can hold.
  let widest = 0;
  for (const token of ids.keys()) widest = Math.max(widest, token.length);
  const tokenize = (word: string): PieceTokens => {
    const asUnknown = { ids: [unknown], starts: [0], ends: [word.length] };
    if (word.length > longest && lengthOf(word) > longest) return asUnknown;
    const out = { ids: [] as number[], starts: [] as number[], ends: [] as number[] };
    for (let start = 0; start < word.length; ) {
      let end = Math.min(word.length, start + widest);
      let id: number | undefined;
      for (; end > start; end--) {
        const part = word.slice(start, end);
        id = ids.get(start > 0 ? prefix + part : part);
        if (id !== undefined) break;
      }
      if (id === undefined) return asUnknown;
      out.ids.push(id);
      out.starts.push(start);
      out.ends.push(end);
      start = end;
    }
    return out;
  };
  return { vocabulary, unknown, tokenize: cachedTokenize(tokenize) };
}

/**
 * WordLevel: every piece is an entry or unknown.
 * @throws WeightsError naming the field that is wrong
 */
export function readWordLevel(config: JsonObject, field: string): TokenModel {
  const vocabulary = readVocabulary(config.vocab, `${field}.vocab`);
  const { unknown } = unknownId(vocabulary.ids, config, field);
  return {
    vocabulary,
    unknown,
    tokenize: (word) => ({
      ids: [vocabulary.ids.get(word) ?? unknown],
      starts: [0],
      ends: [word.length],
    }),
  };
}
