/** Downloads one content into the cache: continued where it broke off, checked, then renamed (Node). */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { HubError } from '../errors.js';
import { type RepoCache, sizeOf } from './hub-cache.js';
import { ATTEMPTS, ConnectionLost, type HubClient, type HubReply } from './hub-client.js';
import { type HubRequest, nameOf, unreachable } from './hub-errors.js';
import { blobName, type HubFile } from './hub-file.js';
import { Part, removeAbandoned } from './hub-part.js';

/** One content to download. */
export interface BlobJob {
  readonly client: HubClient;
  readonly cache: RepoCache;
  readonly commit: string;
  readonly file: HubFile;
  readonly signal: AbortSignal;
  /** Told how many bytes of the content are there; goes back when a download begins anew. */
  readonly onSize: (bytes: number) => void;
}

/** The first byte that an answer holds; null when it cannot be put to use after `from` bytes. */
function startOf(reply: HubReply, from: number): number | null {
  if (reply.status === 200) return 0;
  const range = /^bytes (\d+)-/.exec(reply.headers.get('content-range') ?? '');
  return reply.status === 206 && range && Number(range[1]) === from ? from : null;
}

class Download {
  private readonly request: HubRequest;
  /** The farthest byte that was ever reached: trying again is worth it only if it moves. */
  private farthest = 0;
  private idle = 0;

  constructor(private readonly job: BlobJob) {
    const { cache, commit, file } = job;
    this.request = { repo: cache.repo, revision: commit, path: file.path };
  }

  /** Puts the content into the cache. */
  async run(): Promise<void> {
    const { cache, file } = this.job;
    const place = join(cache.blobs, blobName(file));
    await mkdir(cache.blobs, { recursive: true });
    let part = await Part.open(cache.blobs, file);
    for (let again = false; !(await this.finish(part, place, again)); again = true) {
      part = await Part.open(cache.blobs, file, true);
    }
    await removeAbandoned(cache.blobs, blobName(file));
  }

  /** Fills, checks and renames a part; false when it must be done once more from the beginning. */
  private async finish(begun: Part, place: string, again: boolean): Promise<boolean> {
    const { file } = this.job;
    const part = await this.fill(begun);
    if (!part.matches()) {
      await part.remove();
      if (part.resumed && !again) return false; // what an earlier run left was damaged
      throw this.damaged();
    }
    try {
      await part.become(place);
      return true;
    } catch (error) {
      await part.remove();
      // Another process has finished it (and some systems let nobody replace an open file), or
      // took the part over, thinking that this one is dead.
      if ((await sizeOf(place)) === file.size) return true;
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || again) throw error;
      return false;
    }
  }

  /** Downloads until all bytes are there; gives the part that they are in. */
  private async fill(begun: Part): Promise<Part> {
    const { client, cache, file, signal, onSize } = this.job;
    let part = begun;
    try {
      onSize(part.size);
      while (part.size < file.size) {
        const reply = await client.file(this.request, part.size, signal);
        const start = startOf(reply, part.size);
        if (start === null || start < part.size) {
          // The server does not continue. A part is never cut: a new one takes its place.
          await part.remove();
          part = await Part.open(cache.blobs, file, true);
          onSize(0);
        }
        if (start === null) {
          await reply.cancel();
          await this.pause(null);
          continue;
        }
        const fault = await this.read(reply, part);
        if (part.size < file.size) await this.pause(fault);
      }
      return part;
    } catch (error) {
      await (part.size > 0 ? part.close() : part.remove());
      throw error;
    }
  }

  /** Appends the body; gives the error of a lost connection, null when the body came to its end. */
  private async read(reply: HubReply, part: Part): Promise<unknown> {
    const { file, signal, onSize } = this.job;
    try {
      for await (const bytes of reply.body) {
        if (part.size + bytes.length > file.size) {
          await part.remove();
          throw this.oversized();
        }
        await part.append(bytes);
        onSize(part.size);
        if (part.size > this.farthest) {
          this.farthest = part.size;
          this.idle = 0;
        }
      }
      return null;
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof ConnectionLost) return error.cause;
      throw error;
    }
  }

  private async pause(fault: unknown): Promise<void> {
    const { client, signal } = this.job;
    this.idle++;
    if (this.idle >= ATTEMPTS) throw unreachable(this.request, client.settings.endpoint, fault);
    await client.pause(this.idle, signal);
  }

  private oversized(): HubError {
    const { size } = this.job.file;
    return new HubError(
      'hub-damaged',
      `${nameOf(this.request)}: the server sends more than the ${size} bytes that the hub announced. ` +
        'Nothing of it was kept; try again, and suspect a proxy or a mirror if it stays so.',
      { ...this.request, size },
    );
  }

  private damaged(): HubError {
    const { file } = this.job;
    return new HubError(
      'hub-damaged',
      `${nameOf(this.request)}: the bytes that came are not those that the hub announced (` +
        `${file.sha256 ? 'SHA-256' : "git's SHA-1"} should be ${blobName(file)}). Nothing of it was kept; ` +
        'try again, and suspect a proxy or a mirror if it stays so.',
      { ...this.request },
    );
  }
}

/**
 * Downloads a content, unless a process before has. Several processes may do so at once: each
 * writes its own file, and the first that is whole takes its place.
 * @throws HubError `hub-damaged` when the bytes are not those that were announced, and those of the
 *   requests; errors of the disk as they are
 */
export async function downloadBlob(job: BlobJob): Promise<void> {
  await new Download(job).run();
}
