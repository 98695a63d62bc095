/** The files of a set of texts as rows (Node), and what there is to know of them. */
import { stat } from 'node:fs/promises';
import { DataError } from '../../errors.js';
import type { Skipped } from '../image.js';
import { RecordFile } from './record-file.js';
import { readRows } from './rows.js';
import type { TextFile, TextLayout } from './text-layout.js';
import type { TextRow } from './text-row.js';

/** Bytes from which on rows lie in a temporary file: as rows, samples and ids they take some thirty times that. */
export const HELD_BYTES = 16 * 1024 * 1024;
/** What is kept of each row is small, and grows with their number. */
const MAX_BYTES = 64 * 1024 * 1024 * 1024;

/** The rows of a file with what is known of them. */
export interface ReadFile {
  readonly file: TextFile;
  readonly columns: ReadonlySet<string>;
  /** Lazy where the data is too large to be held. */
  readonly rows: readonly TextRow[];
  /** How often each column holds each sign for no value, such as `NaN`. */
  readonly missing: ReadonlyMap<string, ReadonlyMap<string, number>>;
}

/** What is told of while files are read. */
export interface ReadFilesOptions {
  readonly skipped: Skipped[];
  readonly notes: string[];
  readonly progress?: ((done: number, total: number) => void) | undefined;
  /** {@link HELD_BYTES} by default. */
  readonly heldBytes?: number | undefined;
}

/** A file of a class folder is one text, whatever blank lines it has. */
function oneText(label: string, rows: readonly TextRow[]): TextRow {
  const text = rows.map((r) => r.values.get('text')).join('\n\n');
  const values = new Map<string, unknown>([
    ['text', text],
    ['label', label],
  ]);
  return { line: rows[0]!.line, last: rows.at(-1)!.last, values };
}

/**
 * All rows of a layout.
 * @throws DataError `data-size` for more than 64 GiB, `table`, `encoding`, `parquet` for damaged files
 */
export async function readFiles(
  { files }: TextLayout,
  { skipped, notes, progress, heldBytes = HELD_BYTES }: ReadFilesOptions,
): Promise<ReadFile[]> {
  const sizes = await Promise.all(files.map(async ({ file }) => (await stat(file)).size));
  const total = sizes.reduce((a, b) => a + b, 0);
  if (total > MAX_BYTES) {
    throw new DataError(
      `The data has ${total} bytes; up to ${MAX_BYTES} are read. Take a part of it.`,
      { bytes: total },
      { code: 'data-size' },
    );
  }
  const stored = total > heldBytes ? new RecordFile<TextRow>() : null;
  const read: ReadFile[] = [];
  let before = 0;
  for (const [i, file] of files.entries()) {
    const missing = new Map<string, Map<string, number>>();
    const table = readRows(file.file, {
      onFault: (line, reason) => skipped.push({ id: `${file.id}:${line}`, reason }),
      onMissing: (column, sign) => {
        const signs = missing.get(column) ?? new Map<string, number>();
        missing.set(column, signs.set(sign, (signs.get(sign) ?? 0) + 1));
      },
      onNote: (text) => notes.push(`${file.id} ${text}`),
      progress: (bytes) => progress?.(before + bytes, total),
    });
    const whole = file.label !== undefined;
    const first = stored?.length ?? 0;
    let rows: TextRow[] = [];
    for await (const row of table.rows) {
      if (stored && !whole) stored.append(row);
      else rows.push(row);
    }
    let columns = table.columns;
    if (whole) {
      if (rows.length === 0) skipped.push({ id: file.id, reason: 'has no text' });
      else rows = [oneText(file.label, rows)];
      for (const row of rows) stored?.append(row);
      columns = new Set(['text', 'label']);
    }
    before += sizes[i]!;
    read.push({ file, columns, rows: stored?.list(first) ?? rows, missing });
  }
  return read;
}

/** Which signs for no value were left out of the columns that are used, and how often. */
export function missingNotes(files: readonly ReadFile[], used: Iterable<string>): string[] {
  const counts = new Map<string, number>();
  for (const column of new Set(used)) {
    for (const { missing } of files) {
      for (const [sign, count] of missing.get(column) ?? []) {
        const key = JSON.stringify([sign, column]);
        counts.set(key, (counts.get(key) ?? 0) + count);
      }
    }
  }
  return [...counts].map(([key, count]) => {
    const [sign, column] = JSON.parse(key) as [string, string];
    return `"${sign}" in the column ${column} stands for no value, ${count} time${count === 1 ? '' : 's'}, as pandas reads it; write another name if it is one`;
  });
}

/** Files named by a part that have no row: the part is then made otherwise. */
export function emptyParts(files: readonly ReadFile[]): string[] {
  return files
    .filter(({ file, rows }) => file.part !== null && !file.label && rows.length === 0)
    .map(({ file }) => `${file.id} has no row, so it is no ${file.part} part`);
}

/**
 * Refuses classes without a usable text to train on.
 * @throws DataError `empty-class`
 */
export function checkClassFolders({ emptyClasses }: TextLayout, files: readonly ReadFile[]): void {
  const trained = files.filter(({ file }) => file.part === 'train' || file.part === null);
  const labels = new Set(trained.flatMap(({ file }) => file.label ?? []));
  for (const { file, rows } of trained) if (rows.length > 0) labels.delete(file.label!);
  const empty = [...emptyClasses, ...labels];
  if (empty.length === 0) return;
  throw new DataError(
    `There is no usable text in ${empty.join(', ')}. A class folder holds .txt files with text: put some there, or take the class out.`,
    { classes: empty },
    { code: 'empty-class' },
  );
}
