/**
 * Tokens of many documents in one file (Node), read in pieces: what a language model is trained on
 * when the text is larger than memory.
 *
 * Layout, little-endian: a header of 40 bytes (`GRAFTTOK`; version and bytes of a token as uint32;
 * vocabulary, tokens and documents as doubles, which count beyond 32 bits), the tokens (uint16
 * where the vocabulary allows, else uint32), and the position of each document's first token as a
 * double.
 */
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { ConfigError, DataError } from '../../errors.js';
import type { KeyedRandom } from '../../util/index.js';

const MAGIC = 'GRAFTTOK';
const VERSION = 1;
const HEADER_BYTES = 40;

/** Bytes gathered before they are written. */
const BUFFER_BYTES = 1024 * 1024;

/** What a token file holds. */
export interface TokenFileInfo {
  readonly tokens: number;
  readonly documents: number;
  /** Ids are below it. */
  readonly vocabulary: number;
}

/** Appends documents to a new token file. */
export interface TokenFileWriter {
  /**
   * Adds the ids of a document.
   * @throws ConfigError for an id that is not below the vocabulary's size
   */
  append(ids: ArrayLike<number>): Promise<void>;
  /** Ends the file and gives it its name; it was not there before. */
  finish(): Promise<TokenFileInfo>;
  /** Leaves no trace. */
  discard(): Promise<void>;
}

function header(width: number, { tokens, documents, vocabulary }: TokenFileInfo): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES);
  bytes.write(MAGIC, 0, 'latin1');
  bytes.writeUInt32LE(VERSION, 8);
  bytes.writeUInt32LE(width, 12);
  bytes.writeDoubleLE(vocabulary, 16);
  bytes.writeDoubleLE(tokens, 24);
  bytes.writeDoubleLE(documents, 32);
  return bytes;
}

/** Writes all of it: the system may take less at once. */
async function writeAll(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    const { bytesWritten } = await handle.write(bytes, at, bytes.length - at, position + at);
    at += bytesWritten;
  }
}

/**
 * Begins a token file. It is written beside its name and renamed when it is finished, so that what
 * bears the name is whole.
 * @param vocabulary number of ids; up to 65536 a token takes two bytes, else four
 * @throws ConfigError for a vocabulary that is no integer from 1 to 2^31
 */
export async function createTokenFile(
  path: string,
  { vocabulary }: { readonly vocabulary: number },
): Promise<TokenFileWriter> {
  if (!Number.isInteger(vocabulary) || vocabulary < 1 || vocabulary > 2 ** 31) {
    throw new ConfigError(
      `A token file needs the size of the vocabulary (1 to 2^31), got ${vocabulary}.`,
      { vocabulary },
    );
  }
  const width = vocabulary <= 65536 ? 2 : 4;
  const beside = `${path}.part`;
  const handle = await open(beside, 'w');
  const starts: number[] = [];
  const buffer = Buffer.alloc(BUFFER_BYTES);
  let filled = 0;
  let position = HEADER_BYTES;
  let tokens = 0;
  const flush = async (): Promise<void> => {
    await writeAll(handle, buffer.subarray(0, filled), position);
    position += filled;
    filled = 0;
  };
  return {
    async append(ids) {
      for (let i = 0; i < ids.length; i++) {
        const id = ids[i]!;
        if (!Number.isInteger(id) || id < 0 || id >= vocabulary) {
          throw new ConfigError(
            `Token ${i} of document ${starts.length} has the id ${id}; the vocabulary has ${vocabulary}. Does the tokenizer belong to it?`,
            { id, vocabulary },
          );
        }
      }
      starts.push(tokens);
      for (let i = 0; i < ids.length; i++) {
        if (filled + width > BUFFER_BYTES) await flush();
        if (width === 2) buffer.writeUInt16LE(ids[i]!, filled);
        else buffer.writeUInt32LE(ids[i]!, filled);
        filled += width;
      }
      tokens += ids.length;
    },
    async finish() {
      await flush();
      const index = Buffer.alloc(starts.length * 8);
      for (const [i, start] of starts.entries()) index.writeDoubleLE(start, i * 8);
      await writeAll(handle, index, position);
      const info = { tokens, documents: starts.length, vocabulary };
      await writeAll(handle, header(width, info), 0);
      await handle.sync();
      await handle.close();
      await rename(beside, path);
      return info;
    },
    async discard() {
      await handle.close();
      await rm(beside, { force: true });
    },
  };
}

/** Reads pieces of a token file. */
export interface TokenFile extends TokenFileInfo {
  /**
   * Tokens `start` to `start + count - 1`.
   * @throws ConfigError outside of the file
   */
  read(start: number, count: number): Promise<Int32Array>;
  /** The tokens of a document, by its number from 0. */
  document(index: number): Promise<Int32Array>;
  close(): Promise<void>;
}

function damaged(path: string, reason: string): DataError {
  return new DataError(
    `${path} is no whole token file: ${reason}. Make it again.`,
    { path, reason },
    { code: 'token-file' },
  );
}

/**
 * Opens a token file; nothing but its header is read before it is asked for.
 * @throws DataError `token-file` when it is none, or cut off
 */
export async function openTokenFile(path: string): Promise<TokenFile> {
  const handle = await open(path, 'r').catch(() => {
    throw new DataError(`There is no file ${path}.`, { path }, { code: 'no-data' });
  });
  const bytesAt = async (position: number, length: number): Promise<Buffer> => {
    const bytes = Buffer.alloc(length);
    for (let at = 0; at < length; ) {
      const { bytesRead } = await handle.read(bytes, at, length - at, position + at);
      if (bytesRead === 0) throw damaged(path, 'it ends too early');
      at += bytesRead;
    }
    return bytes;
  };
  const readHeader = async () => {
    const head = await bytesAt(0, HEADER_BYTES);
    if (head.toString('latin1', 0, 8) !== MAGIC) throw damaged(path, 'its first bytes are others');
    const [version, width] = [head.readUInt32LE(8), head.readUInt32LE(12)];
    if (version !== VERSION) throw damaged(path, `its version is ${version}, known is ${VERSION}`);
    const [vocabulary, tokens, documents] = [16, 24, 32].map((at) => head.readDoubleLE(at)) as [
      number,
      number,
      number,
    ];
    const whole = (n: number) => Number.isSafeInteger(n) && n >= 0;
    const { size } = await handle.stat();
    if (
      (width !== 2 && width !== 4) ||
      ![vocabulary, tokens, documents].every(whole) ||
      size !== HEADER_BYTES + tokens * width + documents * 8
    ) {
      throw damaged(path, `its size of ${size} bytes is not what its header says`);
    }
    return { width, vocabulary, tokens, documents };
  };
  const { width, vocabulary, tokens, documents } = await readHeader().catch(async (error) => {
    await handle.close();
    throw error;
  });
  const read = async (start: number, count: number): Promise<Int32Array> => {
    const fits = Number.isSafeInteger(start) && Number.isSafeInteger(count);
    if (!fits || start < 0 || count < 0 || start + count > tokens) {
      throw new ConfigError(
        `${path} has ${tokens} tokens; ${count} from ${start} are not all there.`,
        { start, count, tokens },
      );
    }
    const bytes = await bytesAt(HEADER_BYTES + start * width, count * width);
    const ids = new Int32Array(count);
    for (let i = 0; i < count; i++) {
      ids[i] = width === 2 ? bytes.readUInt16LE(i * 2) : bytes.readUInt32LE(i * 4);
    }
    return ids;
  };
  return {
    tokens,
    documents,
    vocabulary,
    read,
    async document(index) {
      if (!Number.isInteger(index) || index < 0 || index >= documents) {
        throw new ConfigError(`${path} has ${documents} documents, number ${index} is none.`, {
          index,
          documents,
        });
      }
      const last = index === documents - 1;
      const at = HEADER_BYTES + tokens * width + index * 8;
      const ends = await bytesAt(at, last ? 8 : 16);
      const start = ends.readDoubleLE(0);
      return read(start, (last ? tokens : ends.readDoubleLE(8)) - start);
    },
    close: () => handle.close(),
  };
}

/**
 * Starts of random windows, for a step: the same for the same key.
 * @param length tokens of a window
 * @throws ConfigError when the file has fewer tokens than a window
 */
export function windowStarts(
  { tokens }: Pick<TokenFileInfo, 'tokens'>,
  { length, count, random }: { length: number; count: number; random: KeyedRandom },
): number[] {
  const places = tokens - length + 1;
  if (!(places >= 1) || length < 1) {
    throw new ConfigError(
      `A window of ${length} tokens does not fit into ${tokens}. Take a shorter one, or more text.`,
      { length, tokens },
    );
  }
  // Two draws a start: 32 bits do not reach every place of a large file.
  return Array.from({ length: count }, (_, i) => {
    const fraction = random.bits(2 * i) * 2 ** -32 + (random.bits(2 * i + 1) >>> 12) * 2 ** -52;
    return Math.min(places - 1, Math.floor(fraction * places));
  });
}
