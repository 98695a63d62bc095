/** Decoders of a tokenizer.json: tokens back to text, as Hugging Face's tokenizers does it. */
import { CHAR_BYTES } from './byte-alphabet.js';
import {
  byType,
  countField,
  flagField,
  type JsonObject,
  listField,
  objectField,
  textField,
} from './fields.js';
import { readPattern } from './pattern.js';

/** Changes a list of tokens; what comes out is joined. */
export type Decoder = (tokens: readonly string[]) => readonly string[];

const CLEANED: readonly (readonly [string, string])[] = [
  [' .', '.'],
  [' ?', '?'],
  [' !', '!'],
  [' ,', ','],
  [" ' ", "'"],
  [" n't", "n't"],
  [" 'm", "'m"],
  [' do not', " don't"],
  [" 's", "'s"],
  [" 've", "'ve"],
  [" 're", "'re"],
];

/** Takes out the spaces that English has not before punctuation and contractions. */
export function cleanUpSpaces(text: string): string {
  return CLEANED.reduce((clean, [from, to]) => clean.replaceAll(from, to), text);
}

const utf8 = new TextEncoder();
// A byte order mark within a text is a character like others.
const lossy = new TextDecoder('utf-8', { ignoreBOM: true });
const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function byteLevel(tokens: readonly string[]): readonly string[] {
  const bytes: number[] = [];
  for (const token of tokens) {
    const mapped = Array.from(token, (char) => CHAR_BYTES.get(char));
    // A token with other characters was added by hand: it is text.
    if (mapped.includes(undefined)) for (const byte of utf8.encode(token)) bytes.push(byte);
    else for (const byte of mapped) bytes.push(byte!);
  }
  return [lossy.decode(Uint8Array.from(bytes))];
}

const BYTE_TOKEN = /^<0x([0-9A-Fa-f]{2})>$/;

function byteFallback(tokens: readonly string[]): readonly string[] {
  const out: string[] = [];
  let bytes: number[] = [];
  const flush = (): void => {
    if (bytes.length === 0) return;
    try {
      out.push(strict.decode(Uint8Array.from(bytes)));
    } catch {
      for (let i = 0; i < bytes.length; i++) out.push('\ufffd');
    }
    bytes = [];
  };
  for (const token of tokens) {
    const byte = BYTE_TOKEN.exec(token)?.[1];
    if (byte !== undefined) bytes.push(Number.parseInt(byte, 16));
    else {
      flush();
      out.push(token);
    }
  }
  flush();
  return out;
}

const KNOWN: Readonly<Record<string, (config: JsonObject, field: string) => Decoder>> = {
  Sequence(config, field) {
    const parts = listField(config.decoders, `${field}.decoders`).map((part, i) => {
      const name = `${field}.decoders[${i}]`;
      return readDecoder(objectField(part, name), name);
    });
    return (tokens) => parts.reduce((list, part) => part(list), tokens);
  },
  ByteLevel: () => byteLevel,
  ByteFallback: () => byteFallback,
  Fuse: () => (tokens) => [tokens.join('')],
  WordPiece(config, field) {
    const prefix = textField(config.prefix, `${field}.prefix`, '##');
    const cleanup = flagField(config.cleanup, `${field}.cleanup`, true);
    return (tokens) =>
      tokens.map((token, i) => {
        const joined =
          i === 0 ? token : token.startsWith(prefix) ? token.slice(prefix.length) : ` ${token}`;
        return cleanup ? cleanUpSpaces(joined) : joined;
      });
  },
  Metaspace(config, field) {
    const replacement = textField(config.replacement, `${field}.replacement`, '\u2581');
    const scheme = textField(config.prepend_scheme, `${field}.prepend_scheme`, 'always');
    const dropsFirst = scheme !== 'never' && config.add_prefix_space !== false;
    return (tokens) =>
      tokens.map((token, i) => token.replaceAll(replacement, i === 0 && dropsFirst ? '' : ' '));
  },
  BPEDecoder(config, field) {
    const suffix = textField(config.suffix, `${field}.suffix`, '</w>');
    return (tokens) =>
      tokens.map((token, i) => token.replaceAll(suffix, i === tokens.length - 1 ? '' : ' '));
  },
  Replace(config, field) {
    const matches = readPattern(config.pattern, `${field}.pattern`);
    const content = textField(config.content, `${field}.content`);
    return (tokens) =>
      tokens.map((token) => {
        let out = '';
        let done = 0;
        for (const [start, end] of matches(token)) {
          out += token.slice(done, start) + content;
          done = end;
        }
        return out + token.slice(done);
      });
  },
  Strip(config, field) {
    const content = textField(config.content, `${field}.content`);
    const start = countField(config.start, `${field}.start`, 0);
    const stop = countField(config.stop, `${field}.stop`, 0);
    return (tokens) =>
      tokens.map((token) => {
        let from = 0;
        for (let n = 0; n < start && token.startsWith(content, from); n++) from += content.length;
        let to = token.length;
        for (let n = 0; n < stop && to > from && token.endsWith(content, to); n++) {
          to -= content.length;
        }
        return token.slice(from, to);
      });
  },
  CTC(config, field) {
    const pad = textField(config.pad_token, `${field}.pad_token`, '<pad>');
    const delimiter = textField(config.word_delimiter_token, `${field}.word_delimiter_token`, '|');
    const cleanup = flagField(config.cleanup, `${field}.cleanup`, true);
    return (tokens) =>
      tokens
        .filter((token, i) => token !== tokens[i - 1])
        .map((token) => {
          const bare = token.replaceAll(pad, '');
          return cleanup ? cleanUpSpaces(bare).replaceAll(delimiter, ' ') : bare;
        })
        .filter((token) => token !== '');
  },
};

/** @throws WeightsError naming the field that is wrong or unknown */
export function readDecoder(config: JsonObject, field: string): Decoder {
  return byType(config, field, KNOWN);
}
