/** How BLEU cuts translations into words: by what their references are written in. */
import type { BleuTokenizer } from '../../metrics/index.js';

/** What BLEU is computed by, and what there is to know of it. */
export interface BleuScript {
  readonly tokenizer: BleuTokenizer;
  readonly note: string | null;
}

/** References that are looked at; more tell nothing new. */
const LOOKED_AT = 2000;
/** Japanese has far more kana than this beside its ideographs. */
const FEW_KANA = 0.05;

const share = (text: string, letters: RegExp, of: number) =>
  (text.match(letters)?.length ?? 0) / of;

/**
 * sacreBLEU's `13a`, which cuts at spaces and marks, but its `zh` where most letters are Chinese. For other
 * scripts without spaces between words sacreBLEU needs dictionaries, which are not here.
 */
export function bleuScript(references: readonly (readonly string[])[]): BleuScript {
  const text = references.slice(0, LOOKED_AT).flat().join('\n');
  const letters = text.match(/\p{L}/gu)?.length ?? 0;
  if (letters === 0) return { tokenizer: '13a', note: null };
  const han = share(text, /\p{Script=Han}/gu, letters);
  const kana = share(text, /\p{Script=Hiragana}|\p{Script=Katakana}/gu, letters);
  const others = /\p{Script=Thai}|\p{Script=Lao}|\p{Script=Khmer}|\p{Script=Myanmar}/gu;
  if (han + kana + share(text, others, letters) < 0.5) return { tokenizer: '13a', note: null };
  if (han >= 0.5 && kana < FEW_KANA) {
    return {
      tokenizer: 'zh',
      note: "the targets are Chinese: BLEU takes each of their characters for a word, as sacreBLEU's zh",
    };
  }
  return {
    tokenizer: '13a',
    note: 'the targets have no spaces between words, where BLEU (13a) says little: read chrF',
  };
}
