/** How labelled pictures lie on disk (Node): class folders, parts, lists; found out, not asked. */
import { realpath, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { ConfigError, DataError } from '../errors.js';
import type { Skipped } from './image.js';
import {
  type DataPart,
  type GroupBy,
  groupOf,
  type LabelledFile,
  partOf,
  readList,
} from './list.js';
import { endingOf, PICTURE_ENDINGS } from './picture-format.js';
import { TABLE_ENDINGS } from './table.js';
import { type Walked, walk } from './walk.js';

/** What was found, before any picture was opened. */
export interface DataLayout {
  readonly root: string;
  readonly files: readonly LabelledFile[];
  /** What is no data: hidden files, other files, links that lead out. */
  readonly skipped: readonly Skipped[];
  /** What was meant as data but cannot be used. */
  readonly faults: readonly Skipped[];
  /** Class folders without a picture, by their path from the root. */
  readonly empty: readonly string[];
  /** True when class names come from a list: numbers then stand in the order of numbers. */
  readonly listed: boolean;
}

type Found = Partial<Pick<DataLayout, 'files' | 'skipped' | 'faults' | 'empty'>>;

/** Lists that Hugging Face's imagefolder looks for. */
const METADATA = ['metadata.csv', 'metadata.jsonl'];

const isPicture = (id: string) => PICTURE_ENDINGS.has(endingOf(id));

/**
 * Class folders below `prefix`: empty, or a part's folder with a slash. A readme or a licence beside them
 * is not meant as data, so that it is not told of as left out.
 */
function classFolders(
  { files, folders }: Walked,
  prefix: string,
  part: DataPart | null,
  groupBy: GroupBy | undefined,
): Found {
  const found: LabelledFile[] = [];
  const skipped: Skipped[] = [];
  for (const { id, file } of files) {
    if (!id.startsWith(prefix)) continue;
    const [label, ...rest] = id.slice(prefix.length).split('/') as [string, ...string[]];
    if (rest.length === 0) {
      if (isPicture(id)) skipped.push({ id, reason: 'not in a class folder' });
    } else if (!isPicture(id)) skipped.push({ id, reason: 'not a picture by its name' });
    else found.push({ id, file, label, part, ...groupOf(id, groupBy) });
  }
  const names = new Set(found.map((f) => f.label));
  const empty = folders.filter((folder) => {
    const name = folder.slice(prefix.length);
    return folder.startsWith(prefix) && !name.includes('/') && !names.has(name);
  });
  return { files: found, skipped, empty };
}

/** Folders within a folder that are its parts; none when there is no part to train on. */
function partFolders(path: string, { folders }: Walked): [string, DataPart][] {
  const top = folders.filter((f) => !f.includes('/'));
  const parts = top.flatMap((name): [string, DataPart][] => {
    const part = partOf(name);
    return part ? [[name, part]] : [];
  });
  if (parts.some(([, part]) => part === 'train')) return parts;
  if (parts.length > 0 && parts.length === top.length) {
    throw new DataError(
      `${path} has ${parts.map(([name]) => name).join(' and ')}, but no folder train.`,
      { path, parts: parts.map(([name]) => name) },
      { code: 'no-train-part' },
    );
  }
  return []; // classes that happen to have such a name
}

async function readFolder(path: string, groupBy: GroupBy | undefined): Promise<DataLayout> {
  const root = await realpath(path);
  const walked = await walk(root);
  const listIn = (folder: string) =>
    walked.files.find(({ id }) => METADATA.some((m) => id === folder + m))?.file;
  const parts = partFolders(path, walked);
  const found: Found[] = [{ skipped: walked.skipped }];
  const list = listIn('');
  let listed = true;
  if (list) found.push(await readList(list, { root, folder: root, part: null, groupBy }));
  else if (parts.length === 0) {
    listed = false;
    found.push(classFolders(walked, '', null, groupBy));
  } else {
    for (const [name, part] of parts) {
      const inside = listIn(`${name}/`);
      listed &&= inside !== undefined;
      const place = { root, folder: join(root, name), part, groupBy };
      found.push(
        inside ? await readList(inside, place) : classFolders(walked, `${name}/`, part, groupBy),
      );
    }
    const names = new Set(parts.map(([name]) => name));
    const beside = walked.files.filter(({ id }) => !names.has(id.split('/')[0]!) && isPicture(id));
    const reason = 'lies beside the parts of the data set';
    found.push({ skipped: beside.map(({ id }) => ({ id, reason })) });
  }
  if (typeof groupBy === 'string' && !listed) {
    throw new ConfigError(
      `Class folders have no column ${groupBy} to group by. Give an expression that finds the group in a path, or a list with such a column.`,
      { groupBy },
    );
  }
  return {
    root,
    files: found.flatMap((f) => f.files ?? []),
    skipped: found.flatMap((f) => f.skipped ?? []),
    faults: found.flatMap((f) => f.faults ?? []),
    empty: found.flatMap((f) => f.empty ?? []),
    listed,
  };
}

/**
 * Finds labelled pictures:
 * - class folders (pictures may lie deeper in them), at the top or within `train`, `valid`
 *   (`validation`, `val`, `dev`) and `test`;
 * - such folders with `metadata.csv` or `metadata.jsonl` (Hugging Face's imagefolder);
 * - a CSV, TSV or JSON lines file with the columns `file` and `label`, perhaps `split` and `group`;
 *   its paths start from its folder and stay within.
 * @throws DataError `no-data` when there is no such thing at `path`
 */
export async function readDataLayout(path: string, groupBy?: GroupBy): Promise<DataLayout> {
  const found = await stat(path).catch(() => null);
  if (!found) {
    throw new DataError(`There is no file or folder ${path}.`, { path }, { code: 'no-data' });
  }
  if (found.isDirectory()) return readFolder(path, groupBy);
  if (!TABLE_ENDINGS.has(endingOf(path))) {
    throw new DataError(
      `${path} is neither a folder nor a list of pictures (.${[...TABLE_ENDINGS].join(', .')}).`,
      { path },
      { code: 'no-data' },
    );
  }
  const root = await realpath(dirname(resolve(path)));
  const list = join(root, basename(path));
  const read = await readList(list, { root, folder: root, part: null, groupBy });
  return { root, ...read, skipped: [], empty: [], listed: true };
}
