/** Normalizers of a tokenizer.json, by their types. */
import {
  type AlignedText,
  filterAligned,
  mapAligned,
  prependAligned,
  replaceAligned,
  trimAligned,
} from './aligned-text.js';
import { bertNormalizer, lowercaseAligned } from './bert-normalizer.js';
import { byteLevelAligned } from './byte-alphabet.js';
import { byType, flagField, type JsonObject, listField, objectField, textField } from './fields.js';
import { readPattern } from './pattern.js';
import { decodeBase64, precompiledNormalizer } from './precompiled.js';
import { type UnicodeForm, unicodeForm } from './unicode-forms.js';

/** Changes a text and keeps its ranges. */
export type Normalizer = (a: AlignedText) => AlignedText;

const SPACE = /\p{White_Space}/u;
const MARK = /\p{M}/u;
// The control characters that SentencePiece's nmt rules keep, of those below U+00A0, and what they
// take for a space.
const NMT_KEPT = /[\0\t\n\f\r\x80-\x8e\x90-\x9e]/;
const CONTROL = /\p{Cc}/u;
const NMT_SPACES = /[\t\n\f\r\u1680\u200b-\u200f\u2028\u2029\u2581\ufeff\ufffd]/g;

const form = (name: UnicodeForm) => (): Normalizer => (a) => unicodeForm(a, name);

const KNOWN: Readonly<Record<string, (config: JsonObject, field: string) => Normalizer>> = {
  Sequence(config, field) {
    const parts = listField(config.normalizers, `${field}.normalizers`).map((part, i) =>
      readNormalizer(objectField(part, `${field}.normalizers[${i}]`), `${field}.normalizers[${i}]`),
    );
    return (a) => parts.reduce((text, part) => part(text), a);
  },
  BertNormalizer: (config, field) =>
    bertNormalizer({
      cleanText: flagField(config.clean_text, `${field}.clean_text`, true),
      handleChineseChars: flagField(
        config.handle_chinese_chars,
        `${field}.handle_chinese_chars`,
        true,
      ),
      stripAccents:
        config.strip_accents == null
          ? null
          : flagField(config.strip_accents, `${field}.strip_accents`, true),
      lowercase: flagField(config.lowercase, `${field}.lowercase`, true),
    }),
  Lowercase: () => lowercaseAligned,
  NFC: form('NFC'),
  NFD: form('NFD'),
  NFKC: form('NFKC'),
  NFKD: form('NFKD'),
  StripAccents: () => (a) => (MARK.test(a.text) ? filterAligned(a, (c) => !MARK.test(c)) : a),
  Strip(config, field) {
    const left = flagField(config.strip_left, `${field}.strip_left`, true);
    const right = flagField(config.strip_right, `${field}.strip_right`, true);
    return (a) => {
      let from = 0;
      let to = a.text.length;
      // All white space is one unit wide; a pattern with `+$` would take quadratic time.
      if (left) while (from < to && SPACE.test(a.text[from]!)) from++;
      if (right) while (to > from && SPACE.test(a.text[to - 1]!)) to--;
      return trimAligned(a, from, to);
    };
  },
  Replace(config, field) {
    const matches = readPattern(config.pattern, `${field}.pattern`);
    const content = textField(config.content, `${field}.content`);
    return (a) => replaceAligned(a, matches(a.text), content);
  },
  Prepend(config, field) {
    const prefix = textField(config.prepend, `${field}.prepend`);
    return (a) => prependAligned(a, prefix);
  },
  Precompiled: (config, field) => {
    const name = `${field}.precompiled_charsmap`;
    return precompiledNormalizer(decodeBase64(config.precompiled_charsmap, name), name);
  },
  Nmt: () => (a) => {
    const kept = CONTROL.test(a.text)
      ? filterAligned(a, (c) => !CONTROL.test(c) || NMT_KEPT.test(c))
      : a;
    return mapAligned(kept, kept.text.replace(NMT_SPACES, ' '));
  },
  ByteLevel: () => byteLevelAligned,
};

/** @throws WeightsError naming the field that is wrong or unknown */
export function readNormalizer(config: JsonObject, field: string): Normalizer {
  return byType(config, field, KNOWN);
}
