/**
 * The cache of Python's huggingface_hub on disk (Node), so that both share what was downloaded:
 *
 *     models--org--name/
 *       blobs/<digest>              contents, named by SHA-256 (large files) or git's SHA-1
 *       snapshots/<commit>/<path>   links to ../../blobs/<digest>
 *       refs/<revision>             the commit that a branch or tag stood for when last asked
 *       trees/<commit>.json         names and digests of all files of a commit (huggingface_hub >= 2)
 *
 * Source of the layout: huggingface_hub's `file_download.py` and `_tree_cache.py`.
 */
import { randomUUID } from 'node:crypto';
import { copyFile, mkdir, readdir, readFile, rename, rm, stat, symlink } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { ConfigError, HubError } from '../errors.js';
import { type HubFile, parseHubFile } from './hub-file.js';
import { writeWhole } from './write-whole.js';

/** 40 hexadecimal digits: a name that never changes its meaning. */
export function isCommit(revision: string): boolean {
  return /^[0-9a-f]{40}$/.test(revision);
}

/** Whether `text` can be `org/name` on the hub; the rules are huggingface_hub's. */
export function isRepo(text: string): boolean {
  const part = /^\w([\w.-]*\w)?$/;
  const parts = text.split('/');
  return (
    text.length <= 96 &&
    parts.length === 2 &&
    parts.every((p) => part.test(p)) &&
    !/--|\.\.|\.git$/.test(text)
  );
}

/**
 * Whether a path with `/` between its parts stays below the folder it is put into, on every system.
 * Names come from a server, or from whoever gave a revision.
 */
export function isInside(path: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (path.length > 1024 || /[\0-\x1f\x7f]/.test(path)) return false;
  if (process.platform === 'win32' && /[\\:]/.test(path)) return false;
  return path.split('/').every((part) => part !== '' && part !== '.' && part !== '..');
}

/** The part of the cache that belongs to one repository. */
export class RepoCache {
  readonly folder: string;
  readonly blobs: string;

  constructor(
    readonly cache: string,
    readonly repo: string,
  ) {
    this.folder = join(cache, `models--${repo.replaceAll('/', '--')}`);
    this.blobs = join(this.folder, 'blobs');
  }

  /** Folder of the files of a commit. */
  snapshot(commit: string): string {
    return join(this.folder, 'snapshots', commit);
  }

  /**
   * Where a file of a commit lies.
   * @throws HubError `hub-answer` when its name leads out of the snapshot
   */
  pointer(commit: string, path: string): string {
    if (!isInside(path)) {
      throw new HubError(
        'hub-answer',
        `${this.repo}: a file is named ${JSON.stringify(path.slice(0, 200))}, which leads out of the ` +
          'folder it belongs to. The repository or the hub is broken or hostile; nothing was written.',
        { repo: this.repo },
      );
    }
    return join(this.snapshot(commit), ...path.split('/'));
  }

  /** Whether a file of a commit is here whole; `size` in bytes. */
  async has(commit: string, path: string, size: number): Promise<boolean> {
    return (await sizeOf(this.pointer(commit, path))) === size;
  }

  /** The commit that a revision stood for when it was last asked for; null when it never was. */
  async commit(revision: string): Promise<string | null> {
    if (isCommit(revision)) return revision;
    const text = await readFile(this.refPath(revision), 'utf8').catch(() => '');
    return isCommit(text.trim()) ? text.trim() : null;
  }

  /** Remembers what a revision stands for. Nothing is written when that is known, as for a commit. */
  async writeRef(revision: string, commit: string): Promise<void> {
    if ((await this.commit(revision)) === commit) return;
    const path = this.refPath(revision);
    await mkdir(dirname(path), { recursive: true });
    await writeWhole(path, [Buffer.from(commit)]);
  }

  private refPath(revision: string): string {
    if (!isInside(revision)) {
      throw new ConfigError(
        `${JSON.stringify(revision)} is no revision: give a branch, a tag or a commit.`,
        { revision },
      );
    }
    return join(this.folder, 'refs', ...revision.split('/'));
  }

  /** All files of a commit as the hub listed them once; null when it was not asked, or by an older library. */
  async tree(commit: string): Promise<HubFile[] | null> {
    try {
      const { format_version, files } = JSON.parse(await readFile(this.treePath(commit), 'utf8'));
      if (format_version !== 1) return null;
      return Object.entries<Record<string, unknown>>(files).map(([path, f]) =>
        parseHubFile({
          path,
          size: f.size,
          oid: f.blob_id,
          xetHash: f.xet_hash,
          lfs: f.lfs_sha256 && { oid: f.lfs_sha256, size: f.lfs_size },
        }),
      );
    } catch {
      return null; // absent or damaged: the hub is asked again
    }
  }

  /** Keeps the list of files of a commit. */
  async writeTree(commit: string, files: readonly HubFile[]): Promise<void> {
    const entries = [...files]
      .sort((a, b) => (a.path < b.path ? -1 : 1))
      .map((f) => [
        f.path,
        {
          size: f.size,
          blob_id: f.oid,
          ...(f.sha256 ? { lfs_sha256: f.sha256, lfs_size: f.size } : {}),
          ...(f.xetHash ? { xet_hash: f.xetHash } : {}),
        },
      ]);
    const text = JSON.stringify({ format_version: 1, files: Object.fromEntries(entries) }, null, 1);
    await mkdir(dirname(this.treePath(commit)), { recursive: true });
    await writeWhole(this.treePath(commit), [Buffer.from(text)]);
  }

  private treePath(commit: string): string {
    return join(this.folder, 'trees', `${commit}.json`);
  }

  /**
   * Puts a blob into a snapshot: a relative link, so that the cache may be moved, or a copy where
   * links cannot be made (or `copies` asks for one). What lay there before is replaced at once.
   */
  async link(commit: string, path: string, blob: string, copies: boolean): Promise<void> {
    const place = this.pointer(commit, path);
    const beside = `${place}.${randomUUID()}.tmp`;
    const source = join(this.blobs, blob);
    await mkdir(dirname(place), { recursive: true });
    try {
      const linked =
        !copies &&
        (await symlink(relative(dirname(place), source), beside, 'file').then(
          () => true,
          () => false, // no right to, as on Windows, or a file system without links
        ));
      if (!linked) await copyFile(source, beside);
      await rename(beside, place);
    } catch (error) {
      await rm(beside, { force: true });
      throw error;
    }
  }

  /** Paths of all files in the snapshot of a commit, with `/` between their parts. */
  async files(commit: string): Promise<string[]> {
    const root = this.snapshot(commit);
    const entries = await readdir(root, { recursive: true, withFileTypes: true }).catch(() => []);
    const paths = entries
      .filter((e) => !e.isDirectory())
      .map((e) => relative(root, join(e.parentPath, e.name)).replaceAll('\\', '/'));
    const sizes = await Promise.all(paths.map((p) => sizeOf(join(root, p))));
    return paths.filter((_, i) => sizes[i] !== null).sort();
  }
}

/** Bytes of a file, through links; null when there is none. */
export async function sizeOf(path: string): Promise<number | null> {
  const found = await stat(path).catch(() => null);
  return found?.isFile() ? found.size : null;
}

/** Names of the repositories that the cache holds something of. */
export async function cachedRepos(cache: string): Promise<string[]> {
  const names = await readdir(cache).catch(() => []);
  return names
    .map((name) => /^models--(.+?)--(.+)$/.exec(name))
    .flatMap((match) => (match ? [`${match[1]}/${match[2]}`] : []))
    .sort();
}
