/** Pictures named by a list (Node), with labels and perhaps parts and groups. */
import { realpath } from 'node:fs/promises';
import { basename, isAbsolute, relative, resolve, sep } from 'node:path';
import { ConfigError, DataError } from '../errors.js';
import { mapLimited } from './concurrent.js';
import type { Skipped } from './image.js';
import { readTable } from './table.js';
import { type FoundFile, liesWithin } from './walk.js';

/** Parts of a data set. */
export type DataPart = 'train' | 'valid' | 'test';

/** A picture with what its place or its list says of it. */
export interface LabelledFile extends FoundFile {
  readonly label: string;
  /** Null where the data does not say. */
  readonly part: DataPart | null;
  readonly group?: string;
}

const PARTS: ReadonlyMap<string, DataPart> = new Map([
  ['train', 'train'],
  ['training', 'train'],
  ['valid', 'valid'],
  ['validation', 'valid'],
  ['val', 'valid'],
  ['dev', 'valid'],
  ['test', 'test'],
  ['testing', 'test'],
]);

/** The part that a folder or a value of the column `split` names; null for anything else. */
export function partOf(name: string): DataPart | null {
  return PARTS.get(name.trim().toLowerCase()) ?? null;
}

const FILE_COLUMNS = ['file', 'path', 'image', 'file_name', 'filename', 'image_path'];

/** How groups are told: by a column of a list, or by what an expression finds in the id. */
export type GroupBy = string | RegExp;

/** The group of a path: the first captured text, or all that matched. */
export function groupOf(id: string, groupBy: GroupBy | undefined): { group?: string } {
  if (!(groupBy instanceof RegExp)) return {};
  const match = new RegExp(groupBy.source, groupBy.flags.replace(/[gy]/g, '')).exec(id);
  return match ? { group: match[1] ?? match[0] } : {};
}

/** What a list gave. */
export interface ReadList {
  readonly files: readonly LabelledFile[];
  /** Rows that are of no use: an error where it is strict. */
  readonly faults: readonly Skipped[];
}

/** Where a list lies, and what is known of its rows. */
export interface ListPlace {
  /** Folder of the data set, without links: nothing outside of it is read. */
  readonly root: string;
  /** Folder that the paths of the list start from. */
  readonly folder: string;
  /** The part that the folder stands for. */
  readonly part: DataPart | null;
  readonly groupBy: GroupBy | undefined;
}

/** Paths whose links are followed at once. */
const LOOKUPS = 32;

/**
 * Reads the rows of a list.
 * @throws DataError `table` for a damaged list, `label-conflict` for one file with two labels
 */
export async function readList(list: string, place: ListPlace): Promise<ReadList> {
  const { root, folder, groupBy } = place;
  const { columns, rows } = await readTable(list);
  const fileColumn = FILE_COLUMNS.find((c) => columns.has(c));
  const groupColumn = typeof groupBy === 'string' ? groupBy.toLowerCase() : 'group';
  if (!fileColumn || !columns.has('label')) {
    throw new DataError(
      `${list}: a list of pictures has the columns file (or path, image, file_name) and label; this one has ${[...columns].join(', ')}.`,
      { file: list, columns: [...columns] },
      { code: 'table' },
    );
  }
  if (typeof groupBy === 'string' && !columns.has(groupColumn)) {
    throw new ConfigError(
      `${list} has no column ${groupBy} to group by; it has ${[...columns].join(', ')}.`,
      { groupBy },
    );
  }
  const located = await mapLimited(rows, LOOKUPS, async ({ values }) => {
    const path = values.get(fileColumn);
    return path === undefined ? null : locate(root, folder, path);
  });
  const files: LabelledFile[] = [];
  const faults: Skipped[] = [];
  const seen = new Map<string, { readonly line: number; readonly label: string }>();
  rows.forEach(({ line, values }, i) => {
    const found = located[i]!;
    if (!found) {
      faults.push({ id: `${basename(list)}, line ${line}`, reason: 'no file is named' });
      return;
    }
    const { id, file, fault } = found;
    const label = values.get('label');
    if (fault !== null || label === undefined) {
      faults.push({ id, reason: fault ?? `has no label in line ${line}` });
      return;
    }
    const before = seen.get(id);
    if (before && before.label !== label) {
      throw new DataError(
        `${list} names ${id} twice with two labels: ${before.label} in line ${before.line}, ${label} in line ${line}. Keep one of them.`,
        { file: list, id, labels: [before.label, label] },
        { code: 'label-conflict' },
      );
    }
    if (before) {
      faults.push({ id, reason: `named again in line ${line} of ${basename(list)}` });
      return;
    }
    seen.set(id, { line, label });
    const named = groupBy instanceof RegExp ? undefined : values.get(groupColumn);
    const group = named === undefined ? groupOf(id, groupBy) : { group: named };
    const part = partOfRow(values.get('split'), id, place, `${list}, line ${line}`);
    files.push({ id, file, label, part, ...group });
  });
  return { files, faults };
}

/** The file that a row names, and what is wrong with it. */
async function locate(root: string, folder: string, path: string) {
  const local = sep === '/' ? path : path.replaceAll('/', sep);
  const file = resolve(folder, local);
  const id = relative(root, file).split(sep).join('/');
  if (id.startsWith('../') || isAbsolute(id)) {
    return { id, file, fault: 'lies outside of the folder of the list' };
  }
  const real = await realpath(file).catch(() => null);
  if (real === null) return { id, file, fault: 'there is no such file' };
  const fault = liesWithin(root, real) ? null : 'link that leads out of the data set';
  return { id, file, fault };
}

/** The part that a row names, or its folder, or the first folder of its path. */
function partOfRow(
  named: string | undefined,
  id: string,
  { part }: ListPlace,
  where: string,
): DataPart | null {
  if (named === undefined) return part ?? partOf(id.split('/')[0]!);
  const found = partOf(named);
  if (found) return found;
  throw new DataError(
    `${where}: the split "${named}" is none of train, valid, test.`,
    { split: named },
    { code: 'table' },
  );
}
