/** How BLEU cuts texts into words: the tokenizers of sacreBLEU (Post 2018) by their names. */
import { ConfigError } from '../errors.js';
import { wordsOf } from './words.js';

/**
 * Tokenizers of {@link bleu}: `13a` is WMT's mteval-v13a, `intl` mteval-v14's international one, `zh` takes
 * Chinese characters one by one and the rest as `13a` does.
 */
export const BLEU_TOKENIZERS = ['13a', 'intl', 'char', 'none', 'zh'] as const;

/** Name of a tokenizer of BLEU. */
export type BleuTokenizer = (typeof BLEU_TOKENIZERS)[number];

/**
 * Replacements of mteval-v13a, in order: symbols; full stops and commas not between digits; dashes
 * after digits.
 */
const WESTERN: readonly (readonly [RegExp, string])[] = [
  [/([{-~[-` -&(-+:-@/])/gu, ' $1 '],
  [/([^0-9])([.,])/gu, '$1 $2 '],
  [/([.,])([^0-9])/gu, ' $1 $2'],
  [/([0-9])(-)/gu, '$1 $2 '],
];

/** Replacements of mteval-v14: punctuation not between digits, then symbols. */
const INTERNATIONAL: readonly (readonly [RegExp, string])[] = [
  [/(\P{N})(\p{P})/gu, '$1 $2 '],
  [/(\p{P})(\P{N})/gu, ' $1 $2'],
  [/(\p{S})/gu, ' $1 '],
];

/**
 * What sacreBLEU takes for Chinese: ideographs, their punctuation and full-width forms. Its two ranges beyond
 * U+FFFF are written such that they span U+2001 to U+2A6D and U+2F81 to U+2FA1.
 */
const CHINESE =
  /[\u2001-\u2a6d\u2e80-\u2fdf\u2ff0-\u303f\u3100-\u312f\u31a0-\u31bf\u31c0-\u31ef\u3200-\u33ff\u3400-\u4db5\u4e00-\u9fbb\uf900-\ufa2d\ufa30-\ufa6a\ufa70-\ufad9\ufe10-\ufe1f\ufe30-\ufe4f\uff00-\uffef]/gu;

const replaced = (text: string, rules: readonly (readonly [RegExp, string])[]): string =>
  rules.reduce((t, [from, to]) => t.replace(from, to), text);

function unescaped(text: string): string {
  return text
    .replaceAll('<skipped>', '')
    .replaceAll('-\n', '')
    .replaceAll('\n', ' ')
    .replaceAll('&quot;', '"')
    .replaceAll('&amp;', '&')
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>');
}

/**
 * Words of a text as BLEU counts them.
 * @throws ConfigError for a tokenizer that is none
 */
export function bleuWords(text: string, tokenizer: BleuTokenizer): string[] {
  switch (tokenizer) {
    case '13a':
      return wordsOf(replaced(` ${unescaped(text)} `, WESTERN));
    case 'intl':
      return wordsOf(replaced(text, INTERNATIONAL));
    case 'char':
      return [...text].flatMap(wordsOf);
    case 'zh':
      return wordsOf(replaced(text.trim().replace(CHINESE, ' $& '), WESTERN));
    case 'none':
      return wordsOf(text);
    default:
      throw new ConfigError(
        `BLEU has no tokenizer "${tokenizer as string}"; it has ${BLEU_TOKENIZERS.join(', ')}.`,
        { tokenizer },
      );
  }
}
