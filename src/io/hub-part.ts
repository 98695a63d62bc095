/**
 * Half-downloaded contents in the cache (Node). Each download writes a file of its own, so that two
 * processes never write one; what a dead process left is taken over by renaming it, which only one
 * of several can do.
 */
import { createHash, type Hash, randomBytes } from 'node:crypto';
import { type FileHandle, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { HubFile } from './hub-file.js';
import { blobName } from './hub-file.js';

/** A part of a dead process on another machine is known by its age: a live one writes, or gives up, sooner. */
const ABANDONED_MS = 10 * 60_000;
const HOST = createHash('sha256').update(hostname()).digest('hex').slice(0, 8);
const PART = /^([0-9a-f]+)\.graft-([0-9a-f]{8})-(\d{1,10})-[0-9a-f]{8}\.incomplete$/;
/** Parts that this process is writing. */
const active = new Set<string>();

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0); // sends nothing
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

async function isAbandoned(folder: string, name: string): Promise<boolean> {
  const [, , host, pid] = PART.exec(name)!;
  const path = join(folder, name);
  if (active.has(path)) return false;
  if (host === HOST && (Number(pid) === process.pid || !isAlive(Number(pid)))) return true;
  const found = await stat(path).catch(() => null);
  return found !== null && Date.now() - found.mtimeMs > ABANDONED_MS;
}

/** Parts of a content that nobody writes any more, the longest first. */
async function abandoned(folder: string, blob: string): Promise<string[]> {
  const found: { path: string; size: number }[] = [];
  for (const name of await readdir(folder)) {
    if (PART.exec(name)?.[1] !== blob || !(await isAbandoned(folder, name))) continue;
    const path = join(folder, name);
    const size = await stat(path).then(
      (s) => s.size,
      () => -1,
    );
    found.push({ path, size });
  }
  return found.sort((a, b) => b.size - a.size).map(({ path }) => path);
}

/** Removes what dead processes left of a content that is there now. */
export async function removeAbandoned(folder: string, blob: string): Promise<void> {
  for (const path of await abandoned(folder, blob)) await rm(path, { force: true });
}

/** A digest as the hub names contents: SHA-256, or git's SHA-1 of a header and the content. */
function newHash(file: HubFile): Hash {
  return file.sha256 ? createHash('sha256') : createHash('sha1').update(`blob ${file.size}\0`);
}

/** The beginning of a content, on disk and digested. */
export class Part {
  private hash: Hash;
  private handle: FileHandle | undefined;
  /** Bytes that are there. */
  size = 0;

  private constructor(
    readonly path: string,
    private readonly file: HubFile,
    /** It began in an earlier run; its bytes may be damaged. */
    readonly resumed: boolean,
  ) {
    this.hash = newHash(file);
  }

  /** Takes over what a dead process left, or begins anew. */
  static async open(folder: string, file: HubFile, fresh = false): Promise<Part> {
    const blob = blobName(file);
    const id = `${HOST}-${process.pid}-${randomBytes(4).toString('hex')}`;
    const path = join(folder, `${blob}.graft-${id}.incomplete`);
    active.add(path);
    try {
      for (const old of fresh ? [] : await abandoned(folder, blob)) {
        const part = new Part(path, file, true);
        // Another process may have been faster.
        if (
          !(await rename(old, path).then(
            () => true,
            () => false,
          ))
        )
          continue;
        await part.load();
        if (part.size <= file.size) return part;
        await part.remove();
        active.add(path);
      }
      const part = new Part(path, file, false);
      part.handle = await open(path, 'wx');
      return part;
    } catch (error) {
      active.delete(path);
      throw error;
    }
  }

  private async load(): Promise<void> {
    this.handle = await open(this.path, 'r+');
    const buffer = Buffer.allocUnsafe(2 ** 20);
    for (;;) {
      const { bytesRead } = await this.handle.read(buffer, 0, buffer.length, this.size);
      if (bytesRead === 0) return;
      this.hash.update(buffer.subarray(0, bytesRead));
      this.size += bytesRead;
    }
  }

  /** Adds bytes at the end. */
  async append(bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      const { bytesWritten } = await this.handle!.write(
        bytes,
        done,
        bytes.length - done,
        this.size + done,
      );
      done += bytesWritten;
    }
    this.hash.update(bytes);
    this.size += bytes.length;
  }

  /** Whether the bytes are those that the hub named; after this nothing can be added. */
  matches(): boolean {
    return this.hash.digest('hex') === blobName(this.file);
  }

  /** Makes it the content `path`. */
  async become(path: string): Promise<void> {
    await this.handle!.sync();
    await this.close();
    await rename(this.path, path);
  }

  /** Leaves it for the next run, unless nothing is in it. */
  async close(): Promise<void> {
    await this.handle?.close();
    this.handle = undefined;
    active.delete(this.path);
  }

  /** Removes it from the disk. */
  async remove(): Promise<void> {
    await this.close();
    await rm(this.path, { force: true });
  }
}
