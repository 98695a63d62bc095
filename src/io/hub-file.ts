/** Files of a repository as the hub lists them, and which of them are wanted. */
import { HubError } from '../errors.js';

/** One file of a commit. */
export interface HubFile {
  /** Path in the repository, with `/`; not yet safe to use on a disk. */
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  /** Git's SHA-1 of the file, or of the pointer that stands for a large one. */
  readonly oid: string;
  /** SHA-256 of the content, for large files (LFS) only. */
  readonly sha256?: string;
  /** Digest in the hub's newer store; kept for Python's library, which downloads by it. */
  readonly xetHash?: string;
}

/** An entry of the hub's tree; of unknown types, since a server wrote it. */
export interface RawHubFile {
  readonly path?: unknown;
  readonly size?: unknown;
  readonly oid?: unknown;
  readonly xetHash?: unknown;
  readonly lfs?: unknown;
}

function isDigest(value: unknown, digits: number): value is string {
  return typeof value === 'string' && value.length === digits && /^[0-9a-f]+$/.test(value);
}

/**
 * Checks an entry. Digests become names of files, so nothing but digits may be in them.
 * @throws HubError `hub-answer`
 */
export function parseHubFile(raw: RawHubFile): HubFile {
  const { path, oid, xetHash } = raw;
  const lfs = (raw.lfs || null) as { oid?: unknown; size?: unknown } | null;
  const size = lfs ? lfs.size : raw.size;
  if (
    typeof path !== 'string' ||
    !Number.isSafeInteger(size) ||
    (size as number) < 0 ||
    !isDigest(oid, 40) ||
    (lfs && !isDigest(lfs.oid, 64))
  ) {
    throw new HubError(
      'hub-answer',
      `The hub lists a file without a usable name, size or digest: ${JSON.stringify(raw).slice(0, 300)}.`,
    );
  }
  return {
    path,
    size: size as number,
    oid,
    ...(lfs ? { sha256: lfs.oid as string } : {}),
    ...(isDigest(xetHash, 64) ? { xetHash } : {}),
  };
}

/** Name of a file's content in the cache: what the hub sends as its ETag. */
export function blobName(file: HubFile): string {
  return file.sha256 ?? file.oid;
}

/**
 * Which files of a repository are wanted: patterns, of which one must match (`*` any characters, also
 * `/`; `?` one character; `dir/` all below it, as in huggingface_hub), or a function that picks
 * from all paths.
 */
export type HubFileChoice = readonly string[] | ((paths: readonly string[]) => readonly string[]);

function toRegExp(pattern: string): RegExp {
  const whole = pattern.endsWith('/') ? `${pattern}*` : pattern;
  const source = whole
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replace(/\*+/g, '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${source}$`, 's');
}

/** The paths that are wanted, without doubles. */
export function choose(choice: HubFileChoice, paths: readonly string[]): string[] {
  if (typeof choice === 'function') {
    const known = new Set(paths);
    return [...new Set(choice(paths))].filter((path) => known.has(path));
  }
  const patterns = choice.map(toRegExp);
  return [...new Set(paths)].filter((path) => patterns.some((p) => p.test(path)));
}

/** Formats of weights, the preferred first: no code, then one file, then what needs an interpreter. */
const WEIGHTS = [
  /^model\.safetensors$/,
  /^model(-\d+-of-\d+)?\.safetensors(\.index\.json)?$/,
  /\.safetensors$/,
  /^pytorch_model\.bin$/,
  /^pytorch_model(-\d+-of-\d+)?\.bin(\.index\.json)?$/,
  /^(?!optimizer|scheduler|scaler|rng_state|training_args).*\.(pth|pt)$/,
  /\.keras$/,
  /\.h5$/,
  /\.onnx$/,
];

/**
 * The files of a model: weights in one format only (repositories often hold three or four), and the
 * small files beside them (configuration, preprocessing, tokenizer, card, licence). What lies in
 * sub-folders is left out, but for how sentence-transformers pools tokens.
 */
export function modelFiles(paths: readonly string[]): string[] {
  const root = paths.filter((path) => !path.includes('/'));
  const format = WEIGHTS.find((f) => root.some((path) => f.test(path) && !path.endsWith('.json')));
  const small = /\.(json|txt|model|spm|jinja|md)$|^licen[cs]e/i;
  const pooling = paths.filter((path) => /^\w+_Pooling\/config\.json$/.test(path));
  const chosen = root.filter(
    (p) => format?.test(p) || (small.test(p) && !p.endsWith('.index.json')),
  );
  return [...chosen, ...pooling];
}
