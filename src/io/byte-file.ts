/** Files that are read in pieces (Node), so that no weight file lies in memory whole. */
import { type FileHandle, open, stat } from 'node:fs/promises';
import { WeightsError } from '../errors.js';

/** One system call reads less than 2 GiB. */
const MAX_READ = 1 << 30;

/** The error of a file that cannot be read for what it was asked for; `path` opens the message. */
export function fileFault(
  path: string,
  message: string,
  { code, cause, ...data }: { code?: string; cause?: unknown; [key: string]: unknown } = {},
): WeightsError {
  return new WeightsError(
    `'${path}' ${message}`,
    { path, ...data },
    { ...(code && { code }), ...(cause !== undefined && { cause }) },
  );
}

/** Adds the file to an error of a parser, which knows only bytes. */
export function namingFile(path: string, error: unknown): unknown {
  if (!(error instanceof WeightsError) || error.data.path !== undefined) return error;
  return fileFault(path, `cannot be read. ${error.message}`, {
    ...error.data,
    code: error.code,
    cause: error,
  });
}

/** An open file of known size; reads are positional, so several may run at once. */
export class ByteFile {
  private constructor(
    readonly path: string,
    readonly size: number,
    private handle: FileHandle | null,
  ) {}

  /** @throws WeightsError when there is no such file, or it is a folder or a pipe */
  static async open(path: string): Promise<ByteFile> {
    let handle: FileHandle | undefined;
    try {
      // Before opening: a pipe would make that wait for ever.
      const found = await stat(path);
      if (!found.isFile()) {
        throw new Error(found.isDirectory() ? 'it is a folder' : 'it is not a regular file');
      }
      handle = await open(path, 'r');
      return new ByteFile(path, (await handle.stat()).size, handle);
    } catch (cause) {
      await handle?.close();
      const missing = (cause as NodeJS.ErrnoException).code === 'ENOENT';
      const why = missing ? 'there is no such file' : (cause as Error).message;
      throw fileFault(path, `cannot be read: ${why}.`, { code: 'weights-file', cause });
    }
  }

  private get open(): FileHandle {
    if (!this.handle) {
      throw fileFault(this.path, 'has been closed; open it again to read more.', {
        code: 'weights-closed',
      });
    }
    return this.handle;
  }

  /**
   * Bytes `offset` to `offset + length`, in memory of their own.
   * @throws WeightsError when the file ends before
   */
  async read(offset: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
    // Nothing is allocated before the file is known to hold that much.
    if (!(offset >= 0 && length >= 0 && offset + length <= this.size)) {
      throw fileFault(
        this.path,
        `has ${this.size} bytes, but ${length} were expected from byte ${offset} on. The file is cut off or damaged; fetch it again.`,
        { size: this.size },
      );
    }
    const handle = this.open;
    const bytes = allocate(this.path, length);
    let done = 0;
    while (done < length) {
      const wanted = Math.min(length - done, MAX_READ);
      const { bytesRead } = await handle.read(bytes, done, wanted, offset + done);
      if (bytesRead === 0) {
        throw fileFault(this.path, 'became shorter while it was read.', { size: this.size });
      }
      done += bytesRead;
    }
    return bytes;
  }

  async close(): Promise<void> {
    const { handle } = this;
    this.handle = null;
    await handle?.close();
  }
}

/** Memory for a tensor. @throws WeightsError when there is not enough */
export function allocate(path: string, length: number): Uint8Array<ArrayBuffer> {
  try {
    return new Uint8Array(length);
  } catch (cause) {
    throw fileFault(path, `needs ${length} bytes of memory at once, which this machine refuses.`, {
      code: 'weights-memory',
      cause,
    });
  }
}
