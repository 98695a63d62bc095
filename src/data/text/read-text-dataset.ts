/** A set of texts from disk, recognised, checked and split (Node). */
import { ConfigError, DataError } from '../../errors.js';
import { checkParts, checkSpelling, classOrder } from '../classes.js';
import type { Skipped } from '../image.js';
import type { DataPart } from '../list.js';
import { endingOf } from '../picture-format.js';
import {
  type AnyTextDataset,
  TEXT_TASKS,
  type TextDataset,
  type TextKind,
  type TextProblem,
  type TextSamples,
  type TextTaskName,
} from './dataset.js';
import { partNotes } from './part-notes.js';
import { inPart, madeOf, type PlacedDraft, placedDrafts } from './placed-drafts.js';
import {
  checkClassFolders,
  emptyParts,
  missingNotes,
  type ReadFilesOptions,
  readFiles,
} from './read-files.js';
import { type Recognised, recognise } from './recognise.js';
import { splitTexts } from './split-texts.js';
import { normalizeTagged, type TagScheme } from './tags.js';
import { readTextLayout } from './text-layout.js';

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
  /** The scheme of tags to read those of words as; IOB2 by default, without `split` as they lie. */
  readonly tagScheme?: TagScheme | undefined;
  /** Called with the bytes that were read. */
  readonly progress?: ((done: number, total: number) => void) | undefined;
  /**
   * Bytes up to which samples are held in memory (16 MiB by default). Those of more data lie in a temporary file:
   * `train`, `valid` and `test` read them from there, a sample each time that it is asked for.
   */
  readonly heldBytes?: number | undefined;
}

/** Share to validate on: what the field's tools take, and the same as for pictures. */
const DEFAULT_VALID = 0.2;

/** Rows named in a message; the rest is in its data. */
const NAMED = 5;

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

function namesIn(drafts: readonly PlacedDraft[]): Set<string> {
  const found = new Set<string>();
  for (const { names } of drafts) for (const name of names) found.add(name);
  return found;
}

/** Classes in order, checked: those to train on, for tags those of all parts. */
function classesOf<K extends TextKind>(
  kind: K,
  all: readonly PlacedDraft<K>[],
  train: readonly PlacedDraft<K>[],
  splitting: boolean,
): string[] {
  const where = (name: string) => {
    const first = all.find((d) => d.names.includes(name));
    return first ? ` (${first.id})` : '';
  };
  const everywhere = namesIn(all);
  checkSpelling(everywhere, where);
  // A tag that training lacks costs a row of the head; a class that it lacks is a mistake.
  const known = !splitting || kind === 'tags' ? everywhere : namesIn(train);
  const classes = classOrder(known, true);
  if (!splitting || (kind !== 'single-label' && kind !== 'multi-label' && kind !== 'tags')) {
    return classes;
  }
  if (kind !== 'tags') {
    const labelled = (['valid', 'test'] as const).flatMap((part) =>
      [...namesIn(all.filter((d) => d.part === part))].map((label) => ({ part, label })),
    );
    checkParts(labelled, classes, where);
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

/** Tags in the scheme that is asked for, and what there is to know of them. */
function inScheme(
  dataset: TextDataset<'tags'>,
  { split = true, tagScheme }: ReadTextOptions,
): TextDataset<'tags'> {
  if (!split && tagScheme === undefined) return dataset;
  const { data, scheme } = normalizeTagged(dataset, tagScheme);
  const notes = [...dataset.notes];
  if (data !== dataset) notes.push(`the tags are ${scheme} and read as ${tagScheme ?? 'IOB2'}`);
  if (split && scheme === 'plain' && data.classes.every((c) => /^\d+$/.test(c))) {
    notes.push(
      'the tags are numbers without names, so each word is scored by itself; for scores of entities write their names (B-PER, I-PER, ...)',
    );
  }
  return { ...data, notes };
}

/** Validation data from elsewhere: its valid part, or all of it. */
async function readElsewhere<K extends TextKind>(
  path: string,
  kind: K,
  recognised: Recognised,
  { skipped: faults, notes, heldBytes }: ReadFilesOptions,
): Promise<{ drafts: PlacedDraft<K>[]; skipped: readonly Skipped[] }> {
  const layout = await readTextLayout(path, recognised.columns.task);
  const own: Skipped[] = [];
  const files = await readFiles(layout, { skipped: own, notes, heldBytes });
  const found = placedDrafts(kind, recognised, files, own);
  const part = found.filter((d) => d.part === 'valid');
  const chosen = inPart(part.length > 0 ? part : found, 'valid');
  if (chosen.length === 0) throw noRows(path, own);
  for (const fault of own) faults.push(fault);
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
  const { strict, progress, heldBytes, seed = 0, split: splitting = true } = options;
  const choice = options.valid ?? DEFAULT_VALID;
  const layout = await readTextLayout(path, options.task);
  const faults: Skipped[] = [];
  const notes: string[] = [...layout.notes];
  const files = await readFiles(layout, { skipped: faults, notes, progress, heldBytes });
  const recognised = recognise(path, files, options, notes);
  const { columns } = recognised;
  const { kind } = columns;
  if (splitting) notes.push(...emptyParts(files));
  notes.push(...missingNotes(files, Object.values(columns.of)));
  let all = placedDrafts(kind, recognised, files, faults);
  let beside: readonly Skipped[] = [];
  if (splitting && typeof choice === 'string') {
    const other = await readElsewhere(choice, kind, recognised, {
      ...{ skipped: faults, notes, heldBytes },
    });
    all = all.filter((d) => d.part !== 'valid').concat(other.drafts);
    beside = other.skipped;
  }
  checkFaults(faults, strict);
  if (splitting) checkClassFolders(layout, files);
  const skipped = [...layout.skipped, ...beside, ...faults];
  if (all.length === 0) throw noRows(path, skipped);
  const of = (part: DataPart) => all.filter((d) => (d.part ?? 'train') === part);
  let train: readonly PlacedDraft[] = of('train');
  let valid: readonly PlacedDraft[] = of('valid');
  const test = of('test');
  if (splitting && train.length === 0) {
    throw new DataError(
      `${path} has nothing to train on: all of it is valid or test.`,
      { path },
      { code: 'no-train-part' },
    );
  }
  const classes = classesOf(kind, all, train, splitting);
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
  if (splitting) {
    const asked = typeof choice === 'string' || choice > 0;
    notes.push(...partNotes(kind, { train, valid, test }, { asked, classes: classes.length }));
  }
  const index = new Map(classes.map((name, i) => [name, i]));
  const sample = (d: PlacedDraft): TextSamples[TextKind] =>
    d.make(d.names.map((name) => index.get(name)!));
  const dataset = {
    kind,
    task: columns.task,
    root: layout.root,
    classes,
    train: madeOf(train, sample),
    valid: madeOf(valid, sample),
    test: madeOf(test, sample),
    skipped,
    split: text,
    notes,
  } as AnyTextDataset;
  return dataset.kind === 'tags' ? inScheme(dataset, options) : dataset;
}
