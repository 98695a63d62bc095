/**
 * Looks into every picture once (Node): is it whole, how large is it, what does it look like? The
 * answers can be kept in a folder, keyed by path, size and time of change.
 */
import { mkdir, readFile, stat } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { writeWhole } from '../io/index.node.js';
import { hashBytes } from '../util/index.js';
import { mapLimited } from './concurrent.js';
import { decodeThumbnail, type PictureSummary } from './decode.js';
import { THUMBNAIL } from './near-duplicates.js';
import type { FoundFile } from './walk.js';

/** A picture that can be used, or why it cannot. */
export type Inspection =
  | ({ readonly usable: true; readonly version: string } & PictureSummary)
  | { readonly usable: false; readonly version: string; readonly reason: string };

/** Options of {@link inspectPictures}. */
export interface InspectOptions {
  /** Folder in which the answers are kept. */
  readonly index?: string | undefined;
  readonly progress?: ((done: number, total: number) => void) | undefined;
  /** Pictures at once; one a core by default. */
  readonly concurrency?: number | undefined;
}

const FORMAT = 'graft pictures 1';
const VALUES = THUMBNAIL.width * THUMBNAIL.height * 3;

/** Bytes of the longest index that is read: some 400,000 pictures. */
const MAX_INDEX_BYTES = 512 * 1024 * 1024;

function indexFile(folder: string, root: string): string {
  return join(folder, `pictures-${hashBytes(new TextEncoder().encode(root))}.jsonl`);
}

/** One line of the index: [id, version, width, height, thumbnail] or [id, version, reason]. */
function parseLine(line: string): [string, Inspection] | null {
  const row: unknown = JSON.parse(line);
  if (!Array.isArray(row) || row.slice(0, 3).some((v, i) => i < 2 && typeof v !== 'string'))
    return null;
  const [id, version, third, height, encoded] = row as [string, string, unknown, unknown, unknown];
  if (typeof third === 'string') return [id, { usable: false, version, reason: third }];
  if (typeof third !== 'number' || typeof height !== 'number' || typeof encoded !== 'string')
    return null;
  const thumbnail = new Uint8Array(Buffer.from(encoded, 'base64'));
  if (thumbnail.length !== VALUES) return null;
  return [id, { usable: true, version, width: third, height, thumbnail }];
}

/** What is kept; nothing when the index is missing, of another version or damaged. */
async function readIndex(file: string): Promise<Map<string, Inspection>> {
  const kept = new Map<string, Inspection>();
  try {
    if ((await stat(file)).size > MAX_INDEX_BYTES) return kept;
    const [head, ...lines] = (await readFile(file, 'utf8')).split('\n');
    if (head !== JSON.stringify(FORMAT)) return kept;
    for (const line of lines) {
      const entry = line === '' ? null : parseLine(line);
      if (entry) kept.set(...entry);
    }
  } catch {
    return new Map();
  }
  return kept;
}

function* indexLines(entries: ReadonlyMap<string, Inspection>): Generator<Uint8Array> {
  const encoder = new TextEncoder();
  let text = `${JSON.stringify(FORMAT)}\n`;
  for (const [id, found] of entries) {
    const { version } = found;
    const row = found.usable
      ? [id, version, found.width, found.height, Buffer.from(found.thumbnail).toString('base64')]
      : [id, version, found.reason];
    text += `${JSON.stringify(row)}\n`;
    if (text.length < 1 << 20) continue;
    yield encoder.encode(text);
    text = '';
  }
  yield encoder.encode(text);
}

/** True for faults of the machine, not of the picture: they may be gone the next time. */
function isPassing(error: unknown): boolean {
  const { code } = ((error as Error).cause ?? {}) as { code?: unknown };
  return typeof code === 'string';
}

/**
 * Looks into pictures, several at once; in a second run only into those that changed.
 * @param root what the ids are relative to: each root has an index of its own
 */
export async function inspectPictures(
  root: string,
  files: readonly FoundFile[],
  { index, progress, concurrency = availableParallelism() }: InspectOptions = {},
): Promise<Inspection[]> {
  const path = index === undefined ? null : indexFile(index, root);
  const kept = path ? await readIndex(path) : new Map<string, Inspection>();
  const entries = new Map<string, Inspection>();
  let done = 0;
  let changed = kept.size !== files.length;
  const found = await mapLimited(files, concurrency, async ({ id, file }): Promise<Inspection> => {
    let version = 'none';
    let inspection: Inspection;
    let keep = true;
    try {
      const { size, mtimeMs } = await stat(file);
      version = `${size}-${mtimeMs}`;
      const before = kept.get(id);
      if (before?.version === version) inspection = before;
      else {
        changed = true;
        inspection = { usable: true, version, ...(await decodeThumbnail(file, id)) };
      }
    } catch (error) {
      const { data, message } = error as Error & { data?: { reason?: string } };
      inspection = { usable: false, version, reason: data?.reason ?? message };
      keep = !isPassing(error) && version !== 'none';
    }
    if (keep) entries.set(id, inspection);
    progress?.(++done, files.length);
    return inspection;
  });
  if (path && changed) {
    await mkdir(index!, { recursive: true });
    await writeWhole(path, indexLines(entries));
  }
  return found;
}
