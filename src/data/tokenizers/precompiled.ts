/** The normalizer of SentencePiece: a double-array trie from characters to their replacements. */
import { type AlignedText, type Change, transformAligned } from './aligned-text.js';
import { shown, tokenizerFault } from './fields.js';

/** Larger maps are refused; nmt_nfkc has 0.24 MB. */
const MAX_CHARSMAP_BYTES = 16 * 1024 * 1024;
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;
const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/** Bytes of base64 text. @throws WeightsError when it is none, or too long */
export function decodeBase64(text: unknown, field: string): Uint8Array {
  if (typeof text !== 'string' || text.length % 4 !== 0 || !BASE64.test(text)) {
    throw tokenizerFault(field, `is ${shown(text)}; expected base64.`);
  }
  if (text.length > (MAX_CHARSMAP_BYTES / 3) * 4) {
    throw tokenizerFault(field, `has ${text.length} characters, more than any real one.`);
  }
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0;
  const bytes = new Uint8Array((text.length / 4) * 3 - padding);
  for (let i = 0, at = 0; i < text.length; i += 4) {
    let bits = 0;
    for (let k = 0; k < 4; k++) bits = (bits << 6) | Math.max(0, DIGITS.indexOf(text[i + k]!));
    for (let shift = 16; shift >= 0 && at < bytes.length; shift -= 8) bytes[at++] = bits >> shift;
  }
  return bytes;
}

/** Base64 text of bytes. */
export function encodeBase64(bytes: Uint8Array): string {
  let text = '';
  for (let i = 0; i < bytes.length; i += 3) {
    const left = bytes.length - i;
    const bits = (bytes[i]! << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0);
    for (let k = 0; k < 4; k++) text += k > left ? '=' : DIGITS[(bits >> (18 - 6 * k)) & 63]!;
  }
  return text;
}

/** The replacement of a chunk of text; null when the map does not know it. */
type CharsMap = (chunk: string) => string | null;

/**
 * Reads a `precompiled_charsmap`: the size of a trie, the trie (units of Darts-clone), replacements
 * that end with 0. As in `spm_precompiled`, the shortest key that begins a chunk decides.
 */
function readCharsMap(bytes: Uint8Array, field: string): CharsMap {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const trieBytes = bytes.length >= 4 ? view.getUint32(0, true) : -1;
  if (trieBytes < 4 || trieBytes % 4 !== 0 || trieBytes + 4 > bytes.length) {
    throw tokenizerFault(
      field,
      `has ${bytes.length} bytes and a trie of ${trieBytes}; it is cut off or damaged.`,
    );
  }
  const units = Uint32Array.from({ length: trieBytes / 4 }, (_, i) =>
    view.getUint32(4 + 4 * i, true),
  );
  const values = bytes.subarray(4 + trieBytes);
  const utf8 = new TextEncoder();
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  const offset = (unit: number) => (unit >>> 10) << ((unit & 512) >>> 6);
  return (chunk) => {
    let node = offset(units[0]!);
    for (const byte of utf8.encode(chunk)) {
      if (byte === 0) return null;
      node ^= byte;
      const unit = units[node];
      if (unit === undefined || (unit & 0x8000_00ff) >>> 0 !== byte) return null;
      node ^= offset(unit);
      if ((unit >>> 8) & 1) {
        const leaf = units[node];
        if (leaf === undefined) return null;
        const start = leaf & 0x7fff_ffff;
        const end = values.indexOf(0, start);
        return decoder.decode(values.subarray(start, end < 0 ? values.length : end));
      }
    }
    return null;
  };
}

/** One replacement, as SentencePiece's port counts what was added and removed. */
function replace(changes: Change[], old: string, now: string): void {
  const length = (text: string) => [...text].length;
  const added = length(now) - length(old);
  for (const char of now) changes.push({ char, change: 0 });
  for (let i = 1; i <= added && i <= changes.length; i++) {
    const at = changes.length - i;
    changes[at] = { char: changes[at]!.char, change: 1 };
  }
  const last = changes.at(-1);
  if (added < 0 && last) {
    changes[changes.length - 1] = { char: last.char, change: last.change + added };
  }
}

const segmenter = new Intl.Segmenter('und', { granularity: 'grapheme' });
/** Intl.Segmenter takes quadratic time on long texts, so they come in windows of this many units. */
const WINDOW = 512;

/** The graphemes of a text; the last of a window may go on in the next, so it is looked at again. */
function* graphemes(text: string): Generator<string> {
  let width = WINDOW;
  for (let at = 0; at < text.length; ) {
    const end = Math.min(text.length, at + width);
    const parts = Array.from(segmenter.segment(text.slice(at, end)), (part) => part.segment);
    if (end < text.length) parts.pop();
    if (parts.length === 0) width *= 2;
    else width = WINDOW;
    for (const part of parts) {
      yield part;
      at += part.length;
    }
  }
}

/**
 * The normalizer of a `precompiled_charsmap`: graphemes of less than six bytes are looked up whole,
 * longer and unknown ones character by character.
 * @throws WeightsError when the map is damaged
 */
export function precompiledNormalizer(
  charsMap: Uint8Array,
  field: string,
): (a: AlignedText) => AlignedText {
  const lookup = readCharsMap(charsMap, field);
  const known = new Map<string, string | null>();
  const find = (chunk: string): string | null => {
    let found = known.get(chunk);
    if (found === undefined) {
      found = lookup(chunk);
      if (known.size > 50_000) known.clear();
      known.set(chunk, found);
    }
    return found;
  };
  const utf8 = new TextEncoder();
  const plain = new Set<number>();
  for (let code = 32; code < 127; code++) {
    if (find(String.fromCharCode(code)) === null) plain.add(code);
  }
  return (a) => {
    const { text } = a;
    const plainAt = (i: number) => plain.has(text.charCodeAt(i));
    let plainTo = 0;
    while (plainTo < text.length && plainAt(plainTo)) plainTo++;
    if (plainTo === text.length) return a;
    const changes: Change[] = [];
    let modified = false;
    const normalize = (segment: string): void => {
      const whole = segment.length < 6 && utf8.encode(segment).length < 6 ? find(segment) : null;
      if (whole !== null) {
        modified = true;
        replace(changes, segment, whole);
        return;
      }
      for (const char of segment) {
        const single = find(char);
        if (single !== null) {
          modified = true;
          replace(changes, char, single);
        } else changes.push({ char, change: 0 });
      }
    };
    for (let i = 0; i < text.length; ) {
      if (plainAt(i) && (i + 1 === text.length || plainAt(i + 1))) {
        changes.push({ char: text[i]!, change: 0 });
        i++;
        continue;
      }
      // Between two plain characters a grapheme ends whatever stands around them.
      let end = i + 1;
      while (end < text.length && !(plainAt(end - 1) && plainAt(end))) end++;
      for (const segment of graphemes(text.slice(i, end))) normalize(segment);
      i = end;
    }
    return modified ? transformAligned(a, changes) : a;
  };
}
