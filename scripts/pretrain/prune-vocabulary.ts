/** Which words of a BERT vocabulary a small base keeps. */
import { createTokenizer, type Tokenizer, vocabularyMap } from '../../src/data/index.js';

/** A tokenizer with fewer words, and the row that each of them had before. */
export interface PrunedVocabulary {
  readonly tokenizer: Tokenizer;
  readonly rowOf: Int32Array;
}

/** One character, as the beginning of a word or within one. */
const CHARACTER = /^(?:##)?.$/su;
/** Letters, marks and digits of European languages, punctuation, symbols; other scripts need models of their own. */
const KEPT_SCRIPTS = /^[\p{Script=Latin}\p{Script=Common}\p{Script=Inherited}\p{Script=Greek}]+$/u;

/**
 * Keeps the special tokens, every character of the kept scripts (so that words in them can be spelt; a word in another is unknown), the words of `texts`, and of the
 * rest the first ones: BERT's vocabulary is sorted by how often its words occur.
 * @param json tokenizer.json of a WordPiece
 * @param size entries that are kept
 */
export function pruneVocabulary(
  json: Readonly<Record<string, unknown>>,
  config: Readonly<Record<string, unknown>>,
  texts: readonly string[],
  size: number,
): PrunedVocabulary {
  const whole = createTokenizer({ tokenizer: json, config });
  const model = json.model as { vocab: Record<string, number> };
  const special = new Set(
    (json.added_tokens as { content: string }[]).map(({ content }) => content),
  );
  const counts = new Map<number, number>();
  for (const text of texts) {
    for (const id of whole.ids(text, { addSpecialTokens: false })) {
      counts.set(id, (counts.get(id) ?? 0) + 1);
    }
  }
  const allowed = Object.entries(model.vocab)
    .filter(([token]) => special.has(token) || KEPT_SCRIPTS.test(token.replace(/^##/, '')))
    .filter(([token]) => !/^\[unused\d+\]$/.test(token));
  const rank = ([token, id]: readonly [string, number]): number => {
    if (special.has(token) || CHARACTER.test(token)) return -2;
    // Words that occur once may be anything.
    return (counts.get(id) ?? 0) > 1 ? -1 : id;
  };
  const kept = allowed
    .sort((a, b) => rank(a) - rank(b) || a[1] - b[1])
    .slice(0, size)
    .sort((a, b) => a[1] - b[1]);
  const vocab = Object.fromEntries(kept.map(([token], i) => [token, i]));
  const added = (json.added_tokens as { content: string }[]).map((token) => ({
    ...token,
    id: vocab[token.content],
  }));
  // The post-processor names ids, too.
  const post = JSON.parse(JSON.stringify(json.post_processor ?? null), (key, value) =>
    key === 'ids' && Array.isArray(value)
      ? value.map((id: number) => vocab[whole.tokenOf(id)!])
      : value,
  );
  const pruned = {
    ...json,
    truncation: null,
    padding: null,
    added_tokens: added,
    post_processor: post,
    model: { ...model, vocab },
  };
  const tokenizer = createTokenizer({ tokenizer: pruned, config });
  return { tokenizer, rowOf: vocabularyMap(whole, tokenizer) };
}
