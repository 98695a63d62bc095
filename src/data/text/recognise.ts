/** What a set of texts is: its columns, and how its rows are read. */
import { DataError } from '../../errors.js';
import { joinLists, mapList } from '../../util/index.js';
import { neededColumns, recogniseColumns, type TextColumns } from './columns.js';
import type { TextProblem, TextTaskName } from './dataset.js';
import { labelKind } from './drafts.js';
import { flagColumns, severalNote, withFlags, withLists } from './label-columns.js';
import type { ReadFile } from './read-files.js';
import type { TextRow } from './text-row.js';

/** What columns stand for, and rows as these are read. */
export interface Recognised {
  readonly columns: TextColumns;
  readonly read: (row: TextRow) => TextRow;
}

/** What is known before: what is to be learned, what a model answers. */
interface Asked {
  readonly task?: TextTaskName | undefined;
  readonly problem?: TextProblem | undefined;
}

/**
 * What the data is, by the columns of the part to train on, with rows whose lists are lists.
 * @param notes takes what there is to know of the labels
 * @throws DataError `no-data` for no row, `columns` for columns that say nothing
 */
export function recognise(
  path: string,
  files: readonly ReadFile[],
  { task, problem }: Asked,
  notes: string[],
): Recognised {
  const training = files.filter(({ file }) => file.part === 'train' || file.part === null);
  const chosen = (training.length > 0 ? training : files).filter((f) => f.rows.length > 0);
  const names = new Set(chosen.flatMap((f) => [...f.columns]));
  if (names.size === 0) {
    throw new DataError(`There is no text in ${path}.`, { path }, { code: 'no-data' });
  }
  const rows = joinLists(chosen.map((f) => f.rows));
  const found = recogniseColumns(names, task);
  const alone = found ?? (task === 'text-classification' ? recogniseColumns(names) : null);
  if (alone && (!found || task === undefined) && ['plain', 'similar'].includes(alone.kind)) {
    const flags = flagColumns(chosen[0]!.file.file, alone, names, rows);
    if (flags.length > 0) {
      notes.push(`the columns ${flags.join(', ')} hold 0 and 1 and are read as labels`);
      const columns = {
        kind: 'multi-label',
        task: 'text-classification',
        of: { ...alone.of, label: 'labels' },
      } as const;
      return { columns, read: (row) => withFlags(row, flags) };
    }
  }
  if (!found) {
    const seen = [...names].map((c) => (c.length > 40 ? `${c.slice(0, 40)}...` : c));
    throw new DataError(
      `${chosen[0]!.file.file} has the columns ${seen.join(', ')}; ${task ?? 'text data'} needs ${neededColumns(task)}. Does its first line name the columns? If not, put such a line first; else rename them.`,
      { path, columns: [...names], task },
      { code: 'columns' },
    );
  }
  const { words, tags, label } = found.of;
  if (found.kind === 'tags') {
    return { columns: found, read: (row) => withLists(row, [words!, tags!]) };
  }
  if (found.kind !== 'single-label') return { columns: found, read: (row) => row };
  const read = (row: TextRow) => (label === 'labels' ? withLists(row, [label]) : row);
  const kind = problem ?? labelKind(mapList(rows, read), label!);
  if (kind === 'single-label') notes.push(...severalNote(rows, label!));
  return { columns: { ...found, kind }, read };
}
