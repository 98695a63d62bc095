/** How text data lies on disk (Node): a file, files for the parts, class folders of texts. */
import { readFile, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { DataError } from '../../errors.js';
import type { Skipped } from '../image.js';
import { type DataPart, partOf } from '../list.js';
import { endingOf, PICTURE_ENDINGS } from '../picture-format.js';
import { type FoundFile, type Walked, walk } from '../walk.js';
import type { TextTaskName } from './dataset.js';
import { readRows, TEXT_ENDINGS } from './rows.js';

/** A file of rows, with what its place says of them. */
export interface TextFile extends FoundFile {
  /** Null where the data does not say. */
  readonly part: DataPart | null;
  /** The class that its folder stands for; the file is then one text. */
  readonly label?: string;
}

/** What was found, before any file was opened. */
export interface TextLayout {
  readonly root: string;
  readonly files: readonly TextFile[];
  readonly skipped: readonly Skipped[];
  /** Class folders to train on that hold no file that is read. */
  readonly emptyClasses: readonly string[];
  /** What else there is to know, a sentence each. */
  readonly notes: readonly string[];
}

/** Folders beside class folders that hold texts without a label (as in the IMDB reviews). */
const UNLABELLED = new Set(['unsup', 'unlabeled', 'unlabelled']);

const isText = (id: string): boolean => TEXT_ENDINGS.has(endingOf(id));

/**
 * The part that a file is named by: `train.csv`, `train-00000-of-00002.parquet`, `train_1.jsonl`.
 */
function partOfFile(id: string): DataPart | null {
  const stem = id.slice(0, -endingOf(id).length - 1);
  return partOf(stem.replace(/[-_.]\d.*$/, ''));
}

function noData(path: string, reason: string): DataError {
  return new DataError(
    `There is no text data in ${path}: ${reason}. A folder has train.csv (or .tsv, .jsonl, .parquet, .conll, .txt) and perhaps valid and test, or one folder of .txt files for each class; or give one such file.`,
    { path },
    { code: 'no-data' },
  );
}

/** One ending for each part. */
function onePerPart(path: string, found: TextFile[]): TextFile[] | null {
  if (found.length === 0) return null;
  for (const part of ['train', 'valid', 'test'] as const) {
    const names = found.filter((f) => f.part === part).map((f) => f.id);
    const endings = new Set(names.map(endingOf));
    if (endings.size > 1) {
      throw new DataError(
        `${path} has ${names.join(' and ')} for the ${part} part. Keep one of them.`,
        { path, files: names },
        { code: 'parts' },
      );
    }
  }
  return found;
}

/** Files at the top that are named by the parts; null when there is none. */
function partFiles(path: string, { files }: Walked): TextFile[] | null {
  const found = files.flatMap(({ id, file }): TextFile[] => {
    const part = id.includes('/') || !isText(id) ? null : partOfFile(id);
    return part ? [{ id, file, part }] : [];
  });
  return onePerPart(path, found);
}

/**
 * Tables that are named by the parts in one folder below, such as `data`, or lie in folders so named, as
 * Hugging Face's datasets do; null when there is none. Beside pictures a table is about these.
 */
function partTables(path: string, { files }: Walked): TextFile[] | null {
  if (files.some(({ id }) => PICTURE_ENDINGS.has(endingOf(id)))) return null;
  const found = files.flatMap(({ id, file }): TextFile[] => {
    if (!id.includes('/') || !isText(id) || endingOf(id) === 'txt') return [];
    const part = partOfFile(basename(id)) ?? partOf(basename(dirname(id)));
    return part ? [{ id, file, part }] : [];
  });
  const folders = new Set(
    found.map(({ id }) => (partOf(basename(dirname(id))) ? dirname(dirname(id)) : dirname(id))),
  );
  if (folders.size > 1) {
    throw new DataError(
      `${path} has several sets of texts, in ${[...folders].join(', ')}. Give one of these folders.`,
      { path, folders: [...folders] },
      { code: 'parts' },
    );
  }
  return onePerPart(path, found);
}

/** Class folders of `.txt` files below `prefix`. */
function classFolders(
  { files }: Walked,
  prefix: string,
  part: DataPart | null,
  skipped: Skipped[],
) {
  return files.flatMap(({ id, file }): TextFile[] => {
    if (!id.startsWith(prefix) || endingOf(id) !== 'txt') return [];
    const [label, ...rest] = id.slice(prefix.length).split('/') as [string, ...string[]];
    if (rest.length === 0) return [];
    if (UNLABELLED.has(label.toLowerCase())) {
      skipped.push({ id, reason: `lies in ${label}, which is no class` });
      return [];
    }
    return [{ id, file, part, label }];
  });
}

/** Data files at the top without a part in their name: all of them, if they are of one ending. */
function looseFiles(path: string, { files }: Walked): TextFile[] {
  const found = files.filter(({ id }) => !id.includes('/') && isText(id));
  const tables = found.filter(({ id }) => endingOf(id) !== 'txt');
  const chosen = tables.length > 0 ? tables : found;
  const endings = new Set(chosen.map(({ id }) => endingOf(id)));
  if (endings.size > 1) {
    throw noData(
      path,
      `${chosen.map(({ id }) => id).join(', ')} are of different kinds and none is called train`,
    );
  }
  return chosen.map((f) => ({ ...f, part: null }));
}

/** Class folders to train on without a file that is read; folders named by parts are none. */
function emptyFolders({ folders }: Walked, prefix: string, read: readonly TextFile[]): string[] {
  const labels = new Set(read.map((f) => f.label));
  return folders
    .filter((f) => f.startsWith(prefix) && !f.slice(prefix.length).includes('/'))
    .map((f) => f.slice(prefix.length))
    .filter((f) => !labels.has(f) && partOf(f) === null && !UNLABELLED.has(f.toLowerCase()));
}

/** Texts beside class folders are of no class. */
function besideNote({ files }: Walked, read: readonly TextFile[]): string[] {
  const known = new Set(read.map((f) => f.id));
  const parts = new Set(read.map((f) => (f.part === null ? '.' : f.id.split('/')[0]!)));
  const beside = files.filter(
    ({ id }) => isText(id) && !known.has(id) && (parts.has(dirname(id)) || dirname(id) === '.'),
  );
  if (beside.length === 0) return [];
  return [
    `${beside.length} file${beside.length === 1 ? '' : 's'} beside the class folders, such as ${beside[0]!.id}, ${beside.length === 1 ? 'is' : 'are'} not read; for language modelling say so by --task`,
  ];
}

/** All texts of a folder at any depth, parts by the first folder. */
function everyText({ files }: Walked): TextFile[] {
  return files
    .filter(({ id }) => endingOf(id) === 'txt')
    .map((f) => ({ ...f, part: f.id.includes('/') ? partOf(f.id.split('/')[0]!) : null }));
}

async function readFolder(path: string, task: TextTaskName | undefined): Promise<TextLayout> {
  const root = await realpath(path);
  const walked = await walk(root);
  const skipped: Skipped[] = [...walked.skipped];
  const parts = partFiles(path, walked);
  const nothing = { emptyClasses: [], notes: [] };
  if (parts) return { root, files: parts, skipped, ...nothing };
  if (task === 'language-modeling' || task === 'text-generation') {
    const files = everyText(walked);
    if (files.some(({ id }) => id.includes('/'))) return { root, files, skipped, ...nothing };
  }
  const top = walked.folders.filter((f) => !f.includes('/'));
  const partFolders = top.filter((f) => partOf(f) !== null);
  const inParts = partFolders.some((f) => partOf(f) === 'train');
  const inFolders = inParts
    ? partFolders.flatMap((f) => classFolders(walked, `${f}/`, partOf(f), skipped))
    : classFolders(walked, '', null, skipped);
  // One folder of texts beside tables of the parts is no class.
  const tables = new Set(inFolders.map((f) => f.label)).size > 1 ? null : partTables(path, walked);
  if (tables) return { root, files: tables, skipped, ...nothing };
  if (inFolders.length > 0) {
    const train = inFolders.filter(({ part }) => part === 'train' || part === null);
    const prefix = inParts ? `${partFolders.find((f) => partOf(f) === 'train')}/` : '';
    const emptyClasses = emptyFolders(walked, prefix, train);
    return { root, files: inFolders, skipped, emptyClasses, notes: besideNote(walked, inFolders) };
  }
  const loose = looseFiles(path, walked);
  if (loose.length === 0) throw noData(path, 'no file in it is of a kind that is read');
  return { root, files: loose, skipped, ...nothing };
}

/**
 * Finds text data:
 * - a file of any kind that {@link readRows} reads;
 * - a folder with files named by the parts: `train`, `valid` (`validation`, `val`, `dev`), `test`,
 *   perhaps numbered; or tables so named in one folder below, or in folders so named;
 * - class folders of `.txt` files, at the top or within the parts' folders;
 * - a folder of files of one kind without parts; for language modelling `.txt` files at any depth.
 * @param task what is to be learned, where that is known
 * @throws DataError `no-data` when there is no such thing at `path`, `parts` for a part in two
 *   forms
 */
export async function readTextLayout(path: string, task?: TextTaskName): Promise<TextLayout> {
  const found = await stat(path).catch(() => null);
  if (!found) {
    throw new DataError(`There is no file or folder ${path}.`, { path }, { code: 'no-data' });
  }
  if (found.isDirectory()) return readFolder(path, task);
  if (!isText(path)) throw noData(path, `its ending is none of .${[...TEXT_ENDINGS].join(', .')}`);
  const root = await realpath(dirname(resolve(path)));
  const id = basename(path);
  return {
    root,
    files: [{ id, file: join(root, id), part: null }],
    skipped: [],
    emptyClasses: [],
    notes: [],
  };
}

/** Columns of tables that name pictures or sounds instead of holding texts. */
const FILE_COLUMNS = ['file', 'path', 'image', 'file_name', 'filename', 'image_path', 'audio'];

/**
 * Whether there is text data at `path`, by names and, for a table, its columns: what tells a data
 * set of texts from one of pictures or sounds before it is read.
 */
export async function looksLikeText(path: string): Promise<boolean> {
  const layout = await readTextLayout(path).catch(() => null);
  const first = layout?.files[0];
  if (!first) return false;
  const ending = endingOf(first.id);
  if (['txt', 'conll', 'parquet'].includes(ending) && first.label === undefined) return true;
  if (first.label !== undefined) {
    const { files } = await walk(layout.root);
    return !files.some(({ id }) => PICTURE_ENDINGS.has(endingOf(id)));
  }
  if (ending === 'json') {
    // SQuAD and COCO both are JSON; only one of them speaks of questions.
    const text = await readFile(first.file, 'utf8').catch(() => '');
    return /"(qas|context|text|sentence|source|tokens|words)"/.test(text);
  }
  const table = readRows(first.file, { onFault: () => {} });
  try {
    await table.rows.next();
  } catch {
    return true; // Damaged text is still text: reading it says what is wrong.
  }
  await table.rows.return(undefined);
  return !FILE_COLUMNS.some((column) => table.columns.has(column));
}
