/** Texts to tokens: the added ones first, what lies between them piece by piece. */
import type { AddedVocabulary } from './added-tokens.js';
import { alignedText, endAt, sliceAligned, startAt } from './aligned-text.js';
import { languageCode } from './marian.js';
import type { TokenModel } from './model.js';
import type { PreTokenizer } from './pre-tokenizers.js';
import type { TextTokens } from './trim-ranges.js';

/** The parts of a tokenizer that tokens come from. */
export interface CuttingParts {
  readonly splitAdded: AddedVocabulary['split'];
  readonly preTokenizer: PreTokenizer | null;
  readonly model: TokenModel;
  idOf(token: string): number | undefined;
  /** A text may begin with the language that it is to be translated to. */
  readonly languageCodes: boolean;
}

/** Appends the tokens of one text, or of one word of it. */
function addText(
  out: TextTokens,
  text: string,
  word: number | null,
  { splitAdded, preTokenizer, model, idOf, languageCodes }: CuttingParts,
): void {
  let index = 0;
  const add = (id: number, start: number, end: number): void => {
    out.ids.push(id);
    out.starts.push(start);
    out.ends.push(end);
    out.wordIds.push(word ?? index);
  };
  let rest = alignedText(text);
  const code = languageCodes ? languageCode(text) : '';
  const language = code === '' ? undefined : (idOf(code) ?? model.unknown);
  if (language !== undefined) {
    add(language, 0, code.length);
    index++;
    rest = sliceAligned(rest, code.length, text.length);
  }
  for (const { part, token } of splitAdded(rest)) {
    if (token !== null) {
      add(token, startAt(part, 0), endAt(part, part.text.length));
      index++;
      continue;
    }
    for (const piece of preTokenizer ? preTokenizer(part) : [part]) {
      const { ids, starts, ends } = model.tokenize(piece.text);
      for (let i = 0; i < ids.length; i++) {
        add(ids[i]!, startAt(piece, starts[i]!), endAt(piece, ends[i]!));
      }
      index++;
    }
  }
}

/** Tokens of a text. */
export function textTokens(text: string, parts: CuttingParts): TextTokens {
  const out: TextTokens = { ids: [], starts: [], ends: [], wordIds: [], sourceOf: () => text };
  addText(out, text, null, parts);
  return out;
}

/** Tokens of words, each cut on its own. */
export function wordTokens(words: readonly string[], parts: CuttingParts): TextTokens {
  const wordIds: number[] = [];
  const sourceOf = (token: number) => words[wordIds[token]!]!;
  const out: TextTokens = { ids: [], starts: [], ends: [], wordIds, sourceOf };
  words.forEach((word, i) => {
    addText(out, word, i, parts);
  });
  return out;
}
