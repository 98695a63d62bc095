/** Texts from files of any size, one at a time (Node). */
import { stat } from 'node:fs/promises';
import { DataError } from '../../errors.js';
import type { Skipped } from '../image.js';
import { askedColumns, neededColumns, recogniseColumns, type TextColumns } from './columns.js';
import { draftOf } from './drafts.js';
import { readRows } from './rows.js';
import { readTextLayout } from './text-layout.js';
import { placeOf } from './text-row.js';

/** Options of {@link streamTexts}. */
export interface StreamTextOptions {
  /** Told of each row that is left out. */
  readonly onSkip?: ((skipped: Skipped) => void) | undefined;
  /** Called with the bytes that were read. */
  readonly progress?: ((done: number, total: number) => void) | undefined;
}

/** A text of a file, the second one where they come in pairs, its words where they stand apart. */
export interface StreamedTexts {
  /** Its place: `file:line` or `file:first-last`. */
  readonly id: string;
  readonly text: string;
  readonly text2?: string;
  readonly words?: readonly string[];
}

async function* rowsOf(
  path: string,
  columnsOf: (columns: ReadonlySet<string>) => TextColumns | null,
  { onSkip, progress }: StreamTextOptions,
): AsyncGenerator<Partial<StreamedTexts>> {
  const { files, skipped } = await readTextLayout(path);
  for (const one of skipped) onSkip?.(one);
  const chosen = files.filter(({ part }) => part === 'train' || part === null);
  const sizes = await Promise.all(chosen.map(async ({ file }) => (await stat(file)).size));
  const total = sizes.reduce((a, b) => a + b, 0);
  let before = 0;
  for (const [i, { id, file }] of chosen.entries()) {
    const table = readRows(file, {
      onFault: (line, reason) => onSkip?.({ id: `${id}:${line}`, reason }),
      progress: (bytes) => progress?.(before + bytes, total),
    });
    let known = -1;
    let found = columnsOf(table.columns);
    for await (const row of table.rows) {
      // JSON lines may name their columns row by row.
      if (table.columns.size !== known) {
        known = table.columns.size;
        found = columnsOf(table.columns);
      }
      if (!found) {
        throw new DataError(
          `${file} has the columns ${[...table.columns].join(', ')}; a stream of texts needs ${neededColumns('language-modeling')}.`,
          { file, columns: [...table.columns] },
          { code: 'columns' },
        );
      }
      const place = placeOf(id, row);
      const draft = draftOf(found.kind as 'plain' | 'similar' | 'tags', row, place, found);
      if ('fault' in draft) onSkip?.({ id: place, reason: draft.fault });
      else yield draft.make([]);
    }
    before += sizes[i]!;
  }
}

/**
 * The texts of a file (`.txt`, `.jsonl`, `.csv`, `.tsv`, `.parquet`; the column `text` or what
 * stands for it), or of all files to train on in a folder. Memory is bounded by a line (1 MiB of
 * characters), a record, a row group; the order is that of the files.
 * @throws DataError (while texts are taken) for no data, for columns without a text, for damaged
 *   files with file and line
 * @example
 * for await (const text of streamTexts('corpus.txt')) await file.append(tokenizer.encode(text));
 */
export async function* streamTexts(
  path: string,
  options: StreamTextOptions = {},
): AsyncGenerator<string> {
  const columnsOf = (columns: ReadonlySet<string>) =>
    recogniseColumns(columns, 'language-modeling');
  for await (const { text } of rowsOf(path, columnsOf, options)) yield text!;
}

/**
 * Like {@link streamTexts}, with the second text of each row whose columns name two (`premise` and `hypothesis`,
 * `text` and `text2`, ...); of CoNLL files and lists of words each sentence, with a space between its words.
 */
export async function* streamTextRows(
  path: string,
  options: StreamTextOptions = {},
): AsyncGenerator<StreamedTexts> {
  for await (const row of rowsOf(path, askedColumns, options)) {
    const { text, text2, words } = row;
    const id = row.id!;
    if (words) yield { id, text: words.join(' '), words };
    else yield text2 === undefined ? { id, text: text! } : { id, text: text!, text2 };
  }
}
