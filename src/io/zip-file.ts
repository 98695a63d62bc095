/** Entries of a zip archive at random (Node); yauzl reads the directory, this checks it. */

import { promisify } from 'node:util';
import { inflateRaw } from 'node:zlib';
import { type Entry, fromRandomAccessReaderPromise, RandomAccessReader, type ZipFile } from 'yauzl';
import { WeightsError } from '../errors.js';
import { type ByteFile, fileFault } from './byte-file.js';

/** A model has thousands of entries, not millions. */
const MAX_ENTRIES = 100_000;
/**
 * A compressed entry is unpacked in memory whole. PyTorch and Keras never compress; an archive that
 * someone else packed again may be, and must not unpack to all memory.
 */
const MAX_INFLATED_BYTES = 512 * 1024 * 1024;

const inflate = promisify(inflateRaw);

/** yauzl reads through the file that the archive shares with the tensors. */
class Reader extends RandomAccessReader {
  constructor(private readonly file: ByteFile) {
    super();
  }

  override read(
    buffer: Buffer,
    offset: number,
    length: number,
    position: number,
    callback: (error: Error | null, bytesRead?: number) => void,
  ): void {
    this.file.read(position, length).then(
      (bytes) => {
        buffer.set(bytes, offset);
        callback(null, length);
      },
      (error: Error) => callback(error),
    );
  }
}

/** An archive whose directory has been read. */
export class ZipArchive {
  private constructor(
    private readonly file: ByteFile,
    private readonly zip: ZipFile,
    private readonly entries: ReadonlyMap<string, Entry>,
  ) {}

  /**
   * Reads the directory. The file is closed with the archive, also when it is refused.
   * @throws WeightsError when it is damaged or names an entry twice
   */
  static async open(file: ByteFile): Promise<ZipArchive> {
    const entries = new Map<string, Entry>();
    try {
      const zip = await fromRandomAccessReaderPromise(new Reader(file), file.size, {
        autoClose: false,
      });
      // A late error of yauzl has been reported already; without a listener it would end the process.
      zip.on('error', () => {});
      for await (const entry of zip.eachEntry()) {
        if (entries.has(entry.fileName)) {
          throw fileFault(file.path, `names the entry '${entry.fileName}' twice.`);
        }
        if (entries.size >= MAX_ENTRIES) {
          throw fileFault(file.path, `has more than ${MAX_ENTRIES} entries.`);
        }
        entries.set(entry.fileName, entry);
      }
      return new ZipArchive(file, zip, entries);
    } catch (cause) {
      await file.close();
      if (cause instanceof WeightsError) throw cause;
      throw fileFault(
        file.path,
        `is not a whole zip archive: ${(cause as Error).message}. It is cut off or damaged; fetch it again.`,
        { code: 'weights-zip', cause },
      );
    }
  }

  get path(): string {
    return this.file.path;
  }

  /** Names of all entries, in the order of the directory. */
  get names(): string[] {
    return [...this.entries.keys()];
  }

  /** Bytes of an entry once unpacked; undefined when there is none. */
  sizeOf(name: string): number | undefined {
    return this.entries.get(name)?.uncompressedSize;
  }

  private entry(name: string): Entry {
    const entry = this.entries.get(name);
    if (!entry) throw fileFault(this.path, `has no entry '${name}'. The file is damaged.`);
    if (!entry.canDecodeFileData()) {
      throw fileFault(
        this.path,
        `packs the entry '${name}' with ${entry.isEncrypted() ? 'encryption' : `method ${entry.compressionMethod}`}; only stored and deflated ones are read. Pack it again without compression.`,
      );
    }
    return entry;
  }

  /** Where an entry's bytes lie in the file; null when it is compressed. */
  async place(name: string): Promise<{ start: number; size: number } | null> {
    const entry = this.entry(name);
    if (entry.compressionMethod !== 0) return null;
    return { start: await this.start(entry), size: entry.uncompressedSize };
  }

  private async start(entry: Entry): Promise<number> {
    try {
      const local = await this.zip.readLocalFileHeaderPromise(entry, { minimal: true });
      return local.fileDataStart;
    } catch (cause) {
      if (cause instanceof WeightsError) throw cause;
      throw fileFault(this.path, `is damaged: ${(cause as Error).message}.`, { cause });
    }
  }

  private async unpack(name: string, entry: Entry): Promise<Uint8Array> {
    const { uncompressedSize: size, compressedSize } = entry;
    if (size > MAX_INFLATED_BYTES) {
      throw fileFault(
        this.path,
        `compresses the entry '${name}' of ${size} bytes; compressed entries are read up to ${MAX_INFLATED_BYTES}. Pack it again without compression.`,
        { size },
      );
    }
    const packed = await this.file.read(await this.start(entry), compressedSize);
    try {
      const bytes = await inflate(packed, { maxOutputLength: Math.max(size, 1) });
      if (bytes.length === size) return bytes;
      throw new Error(`it holds ${bytes.length} bytes instead of ${size}`);
    } catch (cause) {
      throw fileFault(
        this.path,
        `cannot unpack the entry '${name}': ${(cause as Error).message}. The file is damaged.`,
        { cause },
      );
    }
  }

  /**
   * Bytes `begin` to `end` of an entry. A stored entry is read at that place; a compressed one is
   * unpacked whole each time.
   */
  async read(name: string, begin: number, end: number): Promise<Uint8Array> {
    const entry = this.entry(name);
    if (!(begin <= end && end <= entry.uncompressedSize)) {
      throw fileFault(
        this.path,
        `has ${entry.uncompressedSize} bytes in '${name}', but ${end} were expected. The file is damaged.`,
      );
    }
    const place = await this.place(name);
    if (place) return this.file.read(place.start + begin, end - begin);
    const bytes = await this.unpack(name, entry);
    return bytes.subarray(begin, end);
  }

  /** A whole entry, of at most `maxBytes`. */
  async readAll(name: string, maxBytes: number): Promise<Uint8Array> {
    const size = this.entry(name).uncompressedSize;
    if (size > maxBytes) {
      throw fileFault(this.path, `has ${size} bytes in '${name}'; at most ${maxBytes} are read.`, {
        size,
      });
    }
    return this.read(name, 0, size);
  }

  async close(): Promise<void> {
    this.zip.close();
    await this.file.close();
  }
}
