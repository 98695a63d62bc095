/** From what a person calls a base to files on this machine (Node). */
import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import { ConfigError, HubError } from '../errors.js';
import { didYouMean } from '../util/index.js';
import { cachedRepos, isRepo } from './hub-cache.js';
import { downloadSnapshot, type SnapshotOptions } from './hub-download.js';
import { type HubFileChoice, modelFiles } from './hub-file.js';
import { hubSettings } from './hub-settings.js';

/** Where the files of a base are. */
export interface ResolvedBase {
  /** `folder`: a local folder or an embedded base; `onnx`: one file; `hub`: the snapshot of a commit. */
  readonly kind: 'folder' | 'onnx' | 'hub';
  /** Absolute path. */
  readonly path: string;
}

/** How a base is looked for. */
export interface BaseOptions extends Omit<SnapshotOptions, 'repo' | 'revision' | 'files'> {
  /** Folders of the bases that come with the package, by the name after `graft/`. */
  readonly embedded?: ReadonlyMap<string, string>;
  /** Files to download; those of a model in one format unless given. */
  readonly files?: HubFileChoice;
}

const EMBEDDED = 'graft/';
const KINDS =
  'A base is organization/name[@revision] on the hub, a local folder, an .onnx file, or one of the ' +
  `embedded bases (${EMBEDDED}...)`;

async function localBase(base: string): Promise<ResolvedBase | null> {
  const path = resolve(base);
  const found = await stat(path).catch(() => null);
  if (found?.isDirectory()) return { kind: 'folder', path };
  if (!found?.isFile()) return null;
  if (/\.onnx$/i.test(path)) return { kind: 'onnx', path };
  throw new ConfigError(
    `The base '${base}' is a file, but no .onnx file. ${KINDS}. For weights alone, give the folder that ` +
      'holds them and their config.json.',
    { base },
  );
}

async function missingPath(base: string): Promise<ConfigError> {
  const folder = dirname(resolve(base));
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => null);
  if (!entries)
    return new ConfigError(`There is no folder ${folder}, so no base '${base}'.`, { base });
  const known = entries.filter((e) => !e.isFile() || /\.onnx$/i.test(e.name)).map((e) => e.name);
  return new ConfigError(
    `There is no folder or file '${base}'.${didYouMean(basename(base), known)} ${KINDS}.`,
    { base, known },
  );
}

/** Written as a path: it can be no name on a hub. */
function isPath(base: string): boolean {
  return (
    /^[./~]|\\|^[a-z]:|\.onnx$/i.test(base) || base.split('/').length > 2 || base.endsWith('/')
  );
}

/**
 * Finds a base, and downloads it if it is on a hub and not in the cache yet. What exists on the disk
 * goes before a name on the hub, embedded bases before both.
 *
 * @param base `organization/name`, `organization/name@revision`, a folder, an `.onnx` file, or `graft/<name>`
 * @throws ConfigError when it is none of these, with the nearest name that is; HubError as
 *   {@link downloadSnapshot} does
 */
export async function resolveBase(base: string, options: BaseOptions = {}): Promise<ResolvedBase> {
  const { embedded = new Map<string, string>(), files = modelFiles, ...download } = options;
  const own = [...embedded.keys()].map((name) => EMBEDDED + name);
  const folder = base.startsWith(EMBEDDED) && embedded.get(base.slice(EMBEDDED.length));
  if (folder) return { kind: 'folder', path: resolve(folder) };

  const local = base ? await localBase(base) : null;
  if (local) return local;
  if (base.startsWith(EMBEDDED)) {
    throw new ConfigError(
      `There is no embedded base '${base}'.${didYouMean(base, own)} There are: ${own.join(', ') || 'none'}.`,
      { base, known: own },
    );
  }

  const at = base.indexOf('@');
  const repo = at < 0 ? base : base.slice(0, at);
  const revision = at < 0 ? 'main' : base.slice(at + 1);
  const names = async () => [
    ...own,
    ...(await cachedRepos((await hubSettings(options.env ?? process.env)).cache)),
  ];
  if (!isRepo(repo)) {
    if (isPath(base)) throw await missingPath(base);
    const known = await names();
    // 'resnet-18' means one of the names that end so, whatever their organization.
    const same = known.filter((name) => name.endsWith(`/${repo}`));
    throw new ConfigError(
      `'${base}' is no base.${didYouMean(repo, same.length > 0 ? same : known)} ${KINDS}.`,
      { base, known },
    );
  }
  try {
    const path = await downloadSnapshot({ ...download, repo, revision, files });
    return { kind: 'hub', path };
  } catch (error) {
    if (!(error instanceof HubError) || error.code !== 'hub-not-found') throw error;
    const known = (await names()).filter((name) => name !== repo);
    const hint = didYouMean(repo, known);
    throw new HubError(
      error.code,
      error.message + hint,
      { ...error.data, known },
      { cause: error },
    );
  }
}
