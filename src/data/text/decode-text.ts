/** Bytes of a text file to strings (Node): byte order marks obeyed, wrong bytes named by their line. */
import { createReadStream } from 'node:fs';
import { DataError } from '../../errors.js';
import { lineError } from './text-error.js';

/** Bytes read at once: large enough to be fast, small against any memory. */
const CHUNK_BYTES = 256 * 1024;

type Encoding = 'utf-8' | 'utf-16le' | 'utf-16be';

/** The encoding that a byte order mark names, and its length in bytes. */
function byteOrderMark(file: string, head: Buffer): { encoding: Encoding; skip: number } {
  const starts = (...bytes: number[]) => bytes.every((b, i) => head[i] === b);
  if (starts(0xff, 0xfe, 0, 0) || starts(0, 0, 0xfe, 0xff)) {
    throw lineError(file, 1, 'the file is UTF-32. Convert it to UTF-8.', 'encoding');
  }
  if (starts(0xef, 0xbb, 0xbf)) return { encoding: 'utf-8', skip: 3 };
  if (starts(0xff, 0xfe)) return { encoding: 'utf-16le', skip: 2 };
  if (starts(0xfe, 0xff)) return { encoding: 'utf-16be', skip: 2 };
  return { encoding: 'utf-8', skip: 0 };
}

/** Length of the bytes that end in a whole character. */
function wholeLength(bytes: Buffer, encoding: Encoding): number {
  const n = bytes.length;
  if (encoding === 'utf-8') {
    // A lead byte among the last three begins a character that may go on in the next chunk.
    for (let back = 1; back <= Math.min(3, n); back++) {
      const byte = bytes[n - back]!;
      if (byte < 0x80) return n;
      if (byte >= 0xc0) {
        const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
        return length > back ? n - back : n;
      }
    }
    return n;
  }
  const even = n - (n % 2);
  if (even === 0) return 0;
  const high = bytes[encoding === 'utf-16le' ? even - 1 : even - 2]!;
  return high >= 0xd8 && high < 0xdc ? even - 2 : even;
}

/** Position after the first line feed at or after `from`; -1 when there is none. */
function nextLine(bytes: Buffer, from: number, encoding: Encoding): number {
  if (encoding === 'utf-8') {
    const at = bytes.indexOf(10, from);
    return at < 0 ? -1 : at + 1;
  }
  const [low, high] = encoding === 'utf-16le' ? [0, 1] : [1, 0];
  for (let i = from; i + 1 < bytes.length; i += 2) {
    if (bytes[i + low] === 10 && bytes[i + high] === 0) return i + 2;
  }
  return -1;
}

/** Lines before the first one that cannot be decoded. */
function linesBeforeFault(bytes: Buffer, encoding: Encoding): number {
  const decoder = new TextDecoder(encoding, { fatal: true, ignoreBOM: true });
  let lines = 0;
  for (let from = 0; from < bytes.length; lines++) {
    const next = nextLine(bytes, from, encoding);
    try {
      decoder.decode(bytes.subarray(from, next < 0 ? bytes.length : next));
    } catch {
      return lines;
    }
    if (next < 0) break;
    from = next;
  }
  return lines;
}

function countLines(text: string): number {
  let lines = 0;
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) lines++;
  return lines;
}

/**
 * The text of a file in pieces: UTF-8, or UTF-16 with a byte order mark. Never more than a chunk is
 * in memory.
 * @param progress called with the bytes read so far
 * @throws DataError `encoding` at the line of a byte that is not of the encoding, or of a NUL,
 *   which no text has but a file of another kind and UTF-16 without a mark have many; `no-data` for
 *   a file that cannot be opened
 */
export async function* decodeText(
  file: string,
  progress?: (bytes: number) => void,
): AsyncGenerator<string> {
  const stream = createReadStream(file, { highWaterMark: CHUNK_BYTES });
  let carry: Buffer = Buffer.alloc(0);
  let mark: { encoding: Encoding; skip: number } | undefined;
  let decoder: TextDecoder | undefined;
  let lines = 1;
  let done = 0;
  const decode = (bytes: Buffer): string => {
    const { encoding } = mark!;
    decoder ??= new TextDecoder(encoding, { fatal: true, ignoreBOM: true });
    let text: string;
    try {
      text = decoder.decode(bytes);
    } catch {
      const line = lines + linesBeforeFault(bytes, encoding);
      const reason =
        encoding === 'utf-8'
          ? 'these bytes are not UTF-8; the file is perhaps Latin-1 or Windows-1252. Convert it to UTF-8 (iconv -f WINDOWS-1252 -t UTF-8).'
          : `these bytes are not ${encoding.toUpperCase()}, which the byte order mark says. Convert the file to UTF-8.`;
      throw lineError(file, line, reason, 'encoding');
    }
    const nul = text.indexOf('\0');
    if (nul >= 0) {
      const line = lines + countLines(text.slice(0, nul));
      throw lineError(
        file,
        line,
        'there is a NUL byte. Either this is no text, or it is UTF-16 without a byte order mark: convert it to UTF-8.',
        'encoding',
      );
    }
    lines += countLines(text);
    return text;
  };
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      done += chunk.length;
      let bytes = carry.length > 0 ? Buffer.concat([carry, chunk]) : chunk;
      if (!mark) {
        mark = byteOrderMark(file, bytes);
        bytes = bytes.subarray(mark.skip);
      }
      const whole = wholeLength(bytes, mark.encoding);
      carry = Buffer.from(bytes.subarray(whole));
      if (whole > 0) yield decode(bytes.subarray(0, whole));
      progress?.(done);
    }
    if (carry.length > 0) yield decode(carry);
  } catch (error) {
    if (error instanceof DataError) throw error;
    const { message, code } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    throw new DataError(`${file} cannot be read: ${message}`, { file }, { code: 'no-data' });
  } finally {
    stream.destroy();
  }
}
