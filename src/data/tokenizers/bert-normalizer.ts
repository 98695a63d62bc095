/** The normalizer of BERT: control characters, white space, Chinese characters, accents, case. */
import {
  type AlignedText,
  type Change,
  filterAligned,
  mapAligned,
  transformAligned,
} from './aligned-text.js';
import { unicodeForm } from './unicode-forms.js';

/** What the normalizer does; see Hugging Face's `BertNormalizer`. */
export interface BertNormalizerOptions {
  readonly cleanText: boolean;
  readonly handleChineseChars: boolean;
  /** null: as `lowercase` says. */
  readonly stripAccents: boolean | null;
  readonly lowercase: boolean;
}

// Cn, unassigned, is not among them: the tables of the reference have no such class.
const CONTROL = /[\p{Cc}\p{Cf}\p{Co}\p{Cs}\ufffd]/u;
const KEPT_CONTROL = '\t\n\r';
const HAS_CONTROL = /(?![\t\n\r])[\p{Cc}\p{Cf}\p{Co}\p{Cs}\ufffd]/u;
const SPACES = /[\t\n\r\p{White_Space}]/gu;
// The blocks that BERT's own tokenizer names; the gap before U+2B920 is its.
const CHINESE =
  /[\u4e00-\u9fff\u3400-\u4dbf\u{20000}-\u{2a6df}\u{2a700}-\u{2b73f}\u{2b740}-\u{2b81f}\u{2b920}-\u{2ceaf}\uf900-\ufaff\u{2f800}-\u{2fa1f}]/u;
const MARK = /\p{Mn}/u;
const BEYOND_ASCII = /[^\p{ASCII}]/u;

function clean(a: AlignedText): AlignedText {
  const kept = HAS_CONTROL.test(a.text)
    ? filterAligned(a, (c) => KEPT_CONTROL.includes(c) || !CONTROL.test(c))
    : a;
  // All white space lies in the basic plane, so lengths stay.
  return mapAligned(kept, kept.text.replace(SPACES, ' '));
}

function spaceChinese(a: AlignedText): AlignedText {
  if (!CHINESE.test(a.text)) return a;
  const changes: Change[] = [];
  for (const char of a.text) {
    if (!CHINESE.test(char)) changes.push({ char, change: 0 });
    else {
      changes.push({ char: ' ', change: 0 }, { char, change: 1 }, { char: ' ', change: 1 });
    }
  }
  return transformAligned(a, changes);
}

/** Lower case, character by character: no final sigma; one character may become several. */
export function lowercaseAligned(a: AlignedText): AlignedText {
  const lower = a.text.replaceAll('\u03a3', '\u03c3').toLowerCase();
  if (lower.length === a.text.length) return mapAligned(a, lower);
  const changes: Change[] = [];
  for (const char of a.text) {
    let change = 0;
    for (const part of char.toLowerCase()) {
      changes.push({ char: part, change });
      change = 1;
    }
  }
  return transformAligned(a, changes);
}

/** Text as BERT's vocabulary expects it. */
export function bertNormalizer({
  cleanText,
  handleChineseChars,
  stripAccents,
  lowercase,
}: BertNormalizerOptions): (a: AlignedText) => AlignedText {
  const strip = stripAccents ?? lowercase;
  return (given) => {
    let a = given;
    if (cleanText) a = clean(a);
    if (BEYOND_ASCII.test(a.text)) {
      if (handleChineseChars) a = spaceChinese(a);
      if (strip) {
        a = unicodeForm(a, 'NFD');
        if (MARK.test(a.text)) a = filterAligned(a, (c) => !MARK.test(c));
      }
    }
    return lowercase ? lowercaseAligned(a) : a;
  };
}
