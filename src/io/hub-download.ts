/** Models from a hub: one commit, the wanted files, in the cache that Python's library shares (Node). */

import { join } from 'node:path';
import { ConfigError, HubError } from '../errors.js';
import { nearest } from '../util/index.js';
import { downloadBlob } from './hub-blob.js';
import { cachedRepos, isCommit, isRepo, RepoCache, sizeOf } from './hub-cache.js';
import { HubClient, type HubTransport } from './hub-client.js';
import { diskFault, nameOf } from './hub-errors.js';
import { blobName, choose, type HubFile, type HubFileChoice } from './hub-file.js';
import { type Environment, type HubSettings, hubSettings } from './hub-settings.js';

/** Contents that are downloaded at the same time; more does not fill a usual line any better. */
const PARALLEL = 4;

/** How far a download is. */
export interface HubProgress {
  /** The file that the news is of, and its bytes: here, and all. */
  readonly file: string;
  readonly fileBytes: number;
  readonly fileSize: number;
  /** Bytes of all wanted files that are here, with those that the cache had; falls when a file begins anew. */
  readonly bytes: number;
  readonly total: number;
}

/** What to download, and how. */
export interface SnapshotOptions extends HubTransport {
  /** `organization/name`. */
  readonly repo: string;
  /** Branch, tag or commit; `main` unless given. */
  readonly revision?: string;
  readonly files: HubFileChoice;
  readonly onProgress?: (progress: HubProgress) => void;
  /** Instead of `process.env`. */
  readonly env?: Environment;
}

interface Task {
  readonly settings: HubSettings;
  readonly cache: RepoCache;
  readonly revision: string;
  readonly options: SnapshotOptions;
}

function nothingChosen({ cache, revision, options }: Task, paths: readonly string[]): HubError {
  const { files } = options;
  const wanted = typeof files === 'function' ? 'what is looked for' : `'${files.join("', '")}'`;
  const shown = paths.slice(0, 20).join(', ') + (paths.length > 20 ? ', ...' : '');
  return new HubError(
    'hub-no-file',
    `${nameOf({ repo: cache.repo, revision })} has no file like ${wanted}. It has: ${shown || 'no files'}.`,
    { repo: cache.repo, revision, paths },
  );
}

/** The snapshot from the cache alone; `reason` is why the hub is not asked. */
async function cachedSnapshot(task: Task, reason: { code: string; message: string }) {
  const { settings, cache, revision, options } = task;
  const name = nameOf({ repo: cache.repo, revision });
  const fail = (text: string, data: object) =>
    new HubError(reason.code, `${reason.message} ${text}`, { repo: cache.repo, revision, ...data });

  const commit = await cache.commit(revision);
  const present = commit === null ? [] : await cache.files(commit);
  if (commit === null || present.length === 0) {
    const others = (await cachedRepos(settings.cache)).filter((repo) => repo !== cache.repo);
    const like =
      others.length > 0 ? ` The nearest that is there: ${nearest(cache.repo, others)}.` : '';
    throw fail(`${name} is not in the cache ${settings.cache}.${like}`, { missing: [cache.repo] });
  }
  const tree = await cache.tree(commit);
  const paths = tree ? tree.map((f) => f.path) : present;
  const wanted = choose(options.files, paths);
  if (wanted.length === 0) throw nothingChosen(task, paths);
  const sizes = new Map(tree?.map((f) => [f.path, f.size]));
  const missing: string[] = [];
  for (const path of wanted) {
    const size = await sizeOf(cache.pointer(commit, path));
    if (size === null || size !== (sizes.get(path) ?? size)) missing.push(path);
  }
  if (missing.length > 0) {
    throw fail(`The cache ${settings.cache} lacks these files of ${name}: ${missing.join(', ')}.`, {
      missing,
    });
  }
  return cache.snapshot(commit);
}

/** What the cache may lack without harm: it may be shared and read-only. */
async function remember(write: Promise<void>): Promise<void> {
  await write.catch((error: NodeJS.ErrnoException) => {
    if (!['EACCES', 'EPERM', 'EROFS'].includes(error.code ?? '')) throw error;
  });
}

/** Commit and files of a revision; what the hub said of a commit before is not asked again. */
async function resolve(
  task: Task,
  client: HubClient,
): Promise<{ commit: string; tree: HubFile[] }> {
  const { cache, revision } = task;
  const commit = isCommit(revision) ? revision : await client.commit(cache.repo, revision);
  const known = await cache.tree(commit);
  if (known) return { commit, tree: known };
  const tree = await client.list(cache.repo, commit);
  await remember(cache.writeTree(commit, tree));
  return { commit, tree };
}

/** Files of one content. */
interface Content {
  readonly file: HubFile;
  readonly paths: string[];
}

/** Downloads and links what is not there yet. */
async function complete(task: Task, client: HubClient, commit: string, wanted: HubFile[]) {
  const { settings, cache, options } = task;
  const total = wanted.reduce((sum, f) => sum + f.size, 0);
  let bytes = total;
  const contents = new Map<string, Content>();
  for (const file of wanted) {
    if (await cache.has(commit, file.path, file.size)) continue;
    const same = contents.get(blobName(file));
    if (same) same.paths.push(file.path);
    else contents.set(blobName(file), { file, paths: [file.path] });
    bytes -= file.size;
  }

  const stop = new AbortController();
  const fetchOne = async ({ file, paths }: Content) => {
    let here = 0;
    const onSize = (size: number) => {
      bytes += (size - here) * paths.length;
      here = size;
      const { path, size: fileSize } = file;
      options.onProgress?.({ file: path, fileBytes: size, fileSize, bytes, total });
    };
    const blob = join(cache.blobs, blobName(file));
    if ((await sizeOf(blob)) === file.size) onSize(file.size);
    else await downloadBlob({ client, cache, commit, file, signal: stop.signal, onSize });
    for (const path of paths) await cache.link(commit, path, blobName(file), settings.copies);
  };

  const queue = [...contents.values()];
  let failure: { error: unknown } | undefined;
  const worker = async () => {
    for (let next = queue.shift(); next && !failure; next = queue.shift()) {
      try {
        await fetchOne(next);
      } catch (error) {
        failure ??= { error };
        stop.abort();
      }
    }
  };
  // All are waited for, so that nothing is written any more when the error is known.
  await Promise.all(Array.from({ length: PARALLEL }, worker));
  if (failure) throw failure.error;
}

/** The snapshot from the hub; from the cache if the hub cannot be reached and something is there. */
async function hubSnapshot(task: Task, known: boolean): Promise<string> {
  const { settings, cache, revision, options } = task;
  const client = new HubClient(settings, options);
  let commit: string;
  let tree: HubFile[];
  try {
    ({ commit, tree } = await resolve(task, client));
  } catch (error) {
    if (!(error instanceof HubError) || error.code !== 'hub-unreachable' || !known) throw error;
    return cachedSnapshot(task, error);
  }
  const byPath = new Map(tree.map((f) => [f.path, f]));
  const chosen = choose(options.files, [...byPath.keys()]);
  if (chosen.length === 0) throw nothingChosen(task, [...byPath.keys()]);
  for (const path of chosen) cache.pointer(commit, path); // refuses names before anything is written
  const wanted = chosen.map((path) => byPath.get(path)!);
  await complete(task, client, commit, wanted);
  await remember(cache.writeRef(revision, commit));
  return cache.snapshot(commit);
}

/**
 * Downloads files of a model into the cache, or finds them there.
 *
 * The revision is resolved to a commit first, so that all files are of one state. Each file is
 * checked against its digest; one that broke off is continued, also by a later run. Without a
 * connection the cache is enough if it holds all that is wanted.
 *
 * Obeys `HF_ENDPOINT`, `HF_HOME`, `HF_HUB_CACHE`, `XDG_CACHE_HOME`, `HF_TOKEN` (else the file `token` in
 * `HF_HOME`), `HF_HUB_OFFLINE` and `HF_HUB_DISABLE_SYMLINKS` as Python's huggingface_hub does.
 *
 * @returns the folder of the snapshot; its last part is the commit
 * @throws HubError with the code `hub-not-found`, `hub-no-revision`, `hub-no-file`, `hub-gated`,
 *   `hub-refused` (a token is wrong), `hub-unreachable`, `hub-offline` (not all of it is in the cache),
 *   `hub-cache` (the disk), `hub-damaged` or `hub-answer` (a server that is broken or hostile)
 */
export async function downloadSnapshot(options: SnapshotOptions): Promise<string> {
  const { repo, revision = 'main' } = options;
  if (!isRepo(repo)) {
    throw new ConfigError(
      `${JSON.stringify(repo)} is no name of a model on a hub: expected organization/name.`,
      { repo },
    );
  }
  const settings = await hubSettings(options.env ?? process.env);
  const task: Task = { settings, cache: new RepoCache(settings.cache, repo), revision, options };
  const before = await task.cache.commit(revision); // refuses a revision that is none
  if (settings.offline) {
    const message = 'HF_HUB_OFFLINE is set, so nothing is downloaded; unset it to do so.';
    return cachedSnapshot(task, { code: 'hub-offline', message });
  }
  try {
    return await hubSnapshot(task, before !== null);
  } catch (error) {
    throw diskFault(error, { repo, revision }, settings.cache);
  }
}
