/** The 256 visible characters that stand for bytes in byte-level vocabularies (GPT-2). */
import { AlignedBuilder, type AlignedText, endAt, startAt, unitsAt } from './aligned-text.js';

/** The character of each byte: itself where it is visible in Latin-1, else from U+0100 on. */
export const BYTE_CHARS: readonly string[] = (() => {
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => {
    const visible =
      (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || (byte >= 174 && byte <= 255);
    return String.fromCharCode(visible ? byte : next++);
  });
})();

/** The byte of each character of the alphabet. */
export const CHAR_BYTES: ReadonlyMap<string, number> = new Map(
  BYTE_CHARS.map((char, byte) => [char, byte]),
);

const BEYOND_ASCII = /[^\p{ASCII}]/u;
const utf8 = new TextEncoder();

/** Text as characters of the alphabet, one a UTF-8 byte; all bytes of a character stand for it. */
export function byteLevelAligned(a: AlignedText): AlignedText {
  const { text } = a;
  if (!BEYOND_ASCII.test(text)) {
    let mapped = '';
    for (let i = 0; i < text.length; i++) mapped += BYTE_CHARS[text.charCodeAt(i)]!;
    return { ...a, text: mapped };
  }
  const built = new AlignedBuilder();
  for (let i = 0; i < text.length; ) {
    const next = i + unitsAt(text, i);
    let chars = '';
    for (const byte of utf8.encode(text.slice(i, next))) chars += BYTE_CHARS[byte]!;
    built.add(chars, startAt(a, i), endAt(a, next));
    i = next;
  }
  return built.build(a.origin);
}

/** The text as {@link byteLevelAligned} spells it. */
export function byteLevelText(text: string): string {
  let mapped = '';
  for (const byte of utf8.encode(text)) mapped += BYTE_CHARS[byte]!;
  return mapped;
}
