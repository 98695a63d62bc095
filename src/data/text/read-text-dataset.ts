/** A set of texts from disk, recognised, checked and split (Node). */
import { stat } from 'node:fs/promises';
import { ConfigError, DataError } from '../../errors.js';
import { checkParts, checkSpelling, classOrder } from '../classes.js';
import type { Skipped } from '../image.js';
import { type DataPart, partOf } from '../list.js';
import { endingOf } from '../picture-format.js';
import { neededColumns, recogniseColumns, type TextColumns } from './columns.js';
import {
  type AnyTextDataset,
  TEXT_TASKS,
  type TextKind,
  type TextProblem,
  type TextSamples,
  type TextTaskName,
} from './dataset.js';
import { type Draft, draftOf, labelKind } from './drafts.js';
import { readRows } from './rows.js';
import { splitTexts } from './split-texts.js';
import { readTextLayout, type TextFile, type TextLayout } from './text-layout.js';
import { placeOf, type TextRow } from './text-row.js';

/** Options of {@link readTextDataset}. */
export interface ReadTextOptions {
  /** What is to be learned; recognised from the data by default. */
  readonly task?: TextTaskName | undefined;
  /** Texts with labels: what these are; found out from their values by default. */
  readonly problem?: TextProblem | undefined;
  /**
   * Share to validate on when the data has no such part (0.2 by default; 0 for none), or other data
   * to validate on.
   */
  readonly valid?: number | string | undefined;
  /** Keys the split; 0 by default. */
  readonly seed?: number | undefined;
  /** True: a row that cannot be used is an error; false (default): it is left out and listed. */
  readonly strict?: boolean | undefined;
  /**
   * False: the data as it lies, for a model that is already trained. Nothing is split off, and one
   * class is no fault.
   */
  readonly split?: boolean | undefined;
  /** Called with the bytes that were read. */
  readonly progress?: ((done: number, total: number) => void) | undefined;
}

/** Share to validate on: what the field's tools take, and the same as for pictures. */
const DEFAULT_VALID = 0.2;

/** Rows named in a message; the rest is in its data. */
const NAMED = 5;

/** Bytes that are read into memory; larger sets are streamed (`streamTexts`). */
const MAX_BYTES = 2 * 1024 * 1024 * 1024;

/** The rows of a file with what is known of them. */
interface ReadFile {
  readonly file: TextFile;
  readonly columns: ReadonlySet<string>;
  readonly rows: readonly TextRow[];
}

interface PartedDraft<K extends TextKind> extends Draft<K> {
  readonly id: string;
  readonly part: DataPart | null;
}

/** All rows of a layout. */
async function readFiles(
  { files }: TextLayout,
  skipped: Skipped[],
  progress: ReadTextOptions['progress'],
): Promise<ReadFile[]> {
  const sizes = await Promise.all(files.map(async ({ file }) => (await stat(file)).size));
  const total = sizes.reduce((a, b) => a + b, 0);
  if (total > MAX_BYTES) {
    throw new DataError(
      `The data has ${total} bytes; up to ${MAX_BYTES} are held in memory. Take a part of it, or train on it as plain text, which is streamed.`,
      { bytes: total },
      { code: 'data-size' },
    );
  }
  const read: ReadFile[] = [];
  let before = 0;
  for (const [i, file] of files.entries()) {
    const table = readRows(file.file, {
      onFault: (line, reason) => skipped.push({ id: `${file.id}:${line}`, reason }),
      progress: (bytes) => progress?.(before + bytes, total),
    });
    let rows: TextRow[] = [];
    for await (const row of table.rows) rows.push(row);
    let columns = table.columns;
    if (file.label !== undefined && rows.length > 0) {
      // A file of a class folder is one text, whatever blank lines it has.
      const text = rows.map((r) => r.values.get('text')).join('\n\n');
      const values = new Map<string, unknown>([
        ['text', text],
        ['label', file.label],
      ]);
      rows = [{ line: rows[0]!.line, last: rows.at(-1)!.last, values }];
      columns = new Set(['text', 'label']);
    }
    before += sizes[i]!;
    read.push({ file, columns, rows });
  }
  return read;
}

/** What the data is, by the columns of the part to train on. */
function recognise(
  path: string,
  files: readonly ReadFile[],
  { task, problem }: ReadTextOptions,
): TextColumns {
  const training = files.filter(({ file }) => file.part === 'train' || file.part === null);
  const chosen = (training.length > 0 ? training : files).filter((f) => f.rows.length > 0);
  const columns = new Set(chosen.flatMap((f) => [...f.columns]));
  if (columns.size === 0) {
    throw new DataError(`There is no text in ${path}.`, { path }, { code: 'no-data' });
  }
  const found = recogniseColumns(columns, task);
  if (!found) {
    const seen = [...columns].map((c) => (c.length > 40 ? `${c.slice(0, 40)}...` : c));
    throw new DataError(
      `${chosen[0]!.file.file} has the columns ${seen.join(', ')}; ${task ?? 'text data'} needs ${neededColumns(task)}. Does its first line name the columns? If not, put such a line first; else rename them.`,
      { path, columns: [...columns], task },
      { code: 'columns' },
    );
  }
  if (found.kind !== 'single-label') return found;
  const rows = chosen.flatMap((f) => f.rows);
  return { ...found, kind: problem ?? labelKind(rows, found.of.label!) };
}

/** The part of a row: that of its file, or what its column `split` says. */
function partOfRow(file: TextFile, row: TextRow): DataPart | null {
  const named = row.values.get('split');
  if (file.part !== null || typeof named !== 'string') return file.part;
  return partOf(named);
}

/** Samples of all rows that can be used. */
function drafts<K extends TextKind>(
  kind: K,
  columns: TextColumns,
  files: readonly ReadFile[],
  skipped: Skipped[],
): PartedDraft<K>[] {
  return files.flatMap(({ file, rows }) =>
    rows.flatMap((row): PartedDraft<K>[] => {
      const id = placeOf(file.id, row);
      const draft = draftOf(kind, row, id, columns);
      if ('fault' in draft) {
        skipped.push({ id, reason: draft.fault });
        return [];
      }
      return [{ ...draft, id, part: partOfRow(file, row) }];
    }),
  );
}

function checkFaults(faults: readonly Skipped[], strict: boolean | undefined): void {
  if (!strict || faults.length === 0) return;
  const some = faults.slice(0, NAMED).map(({ id, reason }) => `${id} ${reason}`);
  throw new DataError(
    `${faults.length} of the rows cannot be used:\n  ${some.join('\n  ')}${faults.length > NAMED ? '\n  ...' : ''}\nRepair them, or leave out strict: then they are left out.`,
    { skipped: faults },
    { code: 'unusable-rows' },
  );
}

function noRows(path: string, skipped: readonly Skipped[]): DataError {
  const reasons = new Map<string, number>();
  for (const { reason } of skipped) reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
  const seen = [...reasons].slice(0, NAMED).map(([reason, n]) => `${n} x ${reason}`);
  return new DataError(
    `There is no usable row in ${path}${seen.length > 0 ? ` (left out: ${seen.join('; ')})` : ''}.`,
    { path, skipped },
    { code: 'no-data' },
  );
}

function checkOptions({ valid, task }: ReadTextOptions): void {
  if (typeof valid === 'number' && !(valid >= 0 && valid < 1)) {
    throw new ConfigError(
      `The share to validate on must be at least 0 and below 1, got ${valid}.`,
      { valid },
    );
  }
  if (task !== undefined && !TEXT_TASKS.includes(task)) {
    throw new ConfigError(`The task "${task}" is none of ${TEXT_TASKS.join(', ')}.`, { task });
  }
}

/** Classes in order, checked: those to train on, for tags those of all parts. */
function classesOf<K extends TextKind>(
  kind: K,
  all: readonly PartedDraft<K>[],
  train: readonly PartedDraft<K>[],
  splitting: boolean,
): string[] {
  checkSpelling(new Set(all.flatMap((d) => d.names)));
  // A tag that training lacks costs a row of the head; a class that it lacks is a mistake.
  const known = !splitting || kind === 'tags' ? all : train;
  const classes = classOrder(new Set(known.flatMap((d) => d.names)), true);
  if (!splitting || (kind !== 'single-label' && kind !== 'multi-label' && kind !== 'tags')) {
    return classes;
  }
  if (kind !== 'tags') {
    const labelled = all.flatMap(({ part, names }) => names.map((label) => ({ part, label })));
    checkParts(labelled, classes);
  }
  if (classes.length < (kind === 'multi-label' ? 1 : 2)) {
    throw new DataError(
      classes.length === 0
        ? 'No row has a label, so there is nothing to learn.'
        : `All texts have the label "${classes[0]}"; a classifier needs at least two classes.`,
      { classes },
      { code: 'one-class' },
    );
  }
  return classes;
}

/** Validation data from elsewhere: its valid part, or all of it. */
async function readElsewhere<K extends TextKind>(
  path: string,
  kind: K,
  columns: TextColumns,
  faults: Skipped[],
): Promise<{ drafts: PartedDraft<K>[]; skipped: readonly Skipped[] }> {
  const layout = await readTextLayout(path);
  const own: Skipped[] = [];
  const files = await readFiles(layout, own, undefined);
  const found = drafts(kind, columns, files, own);
  const part = found.filter((d) => d.part === 'valid');
  const chosen = (part.length > 0 ? part : found).map((d) => ({ ...d, part: 'valid' as const }));
  if (chosen.length === 0) throw noRows(path, own);
  faults.push(...own);
  return { drafts: chosen, skipped: layout.skipped };
}

/**
 * Reads a set of texts: finds its layout ({@link readTextLayout}), recognises what its columns
 * stand for, checks every row, and splits off a validation part where there is none. Order and
 * split are the same on every machine.
 * @param path a file, or a folder with files for the parts, or class folders of `.txt` files
 * @throws DataError for data that cannot be learned from: no text, columns that say nothing, one
 *   class, labels that differ by case, parts with other classes, damaged files (file and line
 *   named); with `strict` for any unusable row
 * @throws ConfigError for a share outside of [0, 1) or an unknown task
 * @example
 * const { kind, classes, train, valid, split } = await readTextDataset('reviews.csv', { seed: 1 });
 */
export async function readTextDataset(
  path: string,
  options: ReadTextOptions = {},
): Promise<AnyTextDataset> {
  checkOptions(options);
  const { strict, progress, seed = 0, split: splitting = true } = options;
  const choice = options.valid ?? DEFAULT_VALID;
  const layout = await readTextLayout(path);
  const faults: Skipped[] = [];
  const files = await readFiles(layout, faults, progress);
  const columns = recognise(path, files, options);
  const { kind } = columns;
  let all = drafts(kind, columns, files, faults);
  let beside: readonly Skipped[] = [];
  if (splitting && typeof choice === 'string') {
    const other = await readElsewhere(choice, kind, columns, faults);
    all = [...all.filter((d) => d.part !== 'valid'), ...other.drafts];
    beside = other.skipped;
  }
  checkFaults(faults, strict);
  const skipped = [...layout.skipped, ...beside, ...faults];
  if (all.length === 0) throw noRows(path, skipped);
  const inPart = (part: DataPart) => all.filter((d) => (d.part ?? 'train') === part);
  let train: readonly Draft[] = inPart('train');
  let valid: readonly Draft[] = inPart('valid');
  if (splitting && train.length === 0) {
    throw new DataError(
      `${path} has nothing to train on: all of it is valid or test.`,
      { path },
      { code: 'no-train-part' },
    );
  }
  const classes = classesOf(kind, all, inPart('train'), splitting);
  let text = 'as the data lies, nothing is split off';
  if (splitting && valid.length === 0 && typeof choice === 'number' && choice > 0) {
    const running = kind === 'plain' && layout.files.every((f) => endingOf(f.id) === 'txt');
    ({ train, valid, text } = splitTexts(kind, train, { fraction: choice, seed, running }));
  } else if (splitting) {
    const from =
      typeof choice === 'string' ? `validation part from ${choice}` : 'parts of the data itself';
    text =
      valid.length === 0
        ? `${train.length} to train, nothing to validate, as asked`
        : `${from}: ${train.length} to train, ${valid.length} to validate`;
  }
  const index = new Map(classes.map((name, i) => [name, i]));
  const made = (list: readonly Draft[]): TextSamples[TextKind][] =>
    list.map((d) => d.make(d.names.map((name) => index.get(name)!)));
  return {
    kind,
    task: columns.task,
    root: layout.root,
    classes,
    train: made(train),
    valid: made(valid),
    test: made(inPart('test')),
    skipped,
    split: text,
  } as AnyTextDataset;
}
