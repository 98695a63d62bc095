/** A labelled set of pictures from disk, checked and split (Node). */
import { ConfigError, DataError } from '../errors.js';
import { checkClasses, checkParts, checkSpelling, classOrder } from './classes.js';
import { byCodePoint } from './code-point-order.js';
import type { ImageDataset, ImageSample, Skipped } from './image.js';
import { inspectPictures } from './inspect.js';
import { type DataLayout, readDataLayout } from './layout.js';
import { type DataPart, type GroupBy, type LabelledFile, partOf } from './list.js';
import { nearDuplicates, type Thumbnail } from './near-duplicates.js';
import { stratifiedSplit } from './split.js';

/** Options of {@link readImageDataset}. */
export interface ReadImageOptions {
  /**
   * Share of each class to validate on when the data has no such part (0.2 by default; 0 for none),
   * or other data to validate on.
   */
  readonly valid?: string | number;
  /** Keys the split; 0 by default. */
  readonly seed?: number;
  /** True: a file that cannot be used is an error; false (default): it is left out and listed. */
  readonly strict?: boolean;
  /** What must not lie on both sides of the split; a list's column `group` by default. */
  readonly groupBy?: GroupBy;
  /**
   * False: the data as it lies, for a model that is already trained. Nothing is split off, and one
   * class or an empty one is no fault.
   */
  readonly split?: boolean;
  /** Folder in which is kept what was seen in each file, so that the next start is quick. */
  readonly index?: string;
  /** Called after each picture that was looked into. */
  readonly progress?: (done: number, total: number) => void;
  /** Pictures that are looked into at once; one a core by default. */
  readonly concurrency?: number;
}

/** A file that can be used, with what it looks like. */
interface Usable extends LabelledFile {
  readonly version: string;
  readonly thumbnail: Thumbnail;
}

/** Share to validate on: what the field's tools take, and enough to tell models apart on little data. */
const DEFAULT_VALID = 0.2;

/** Files named in a message; the rest is in its data. */
const NAMED = 5;

/** Looks into the pictures of a layout. */
async function usable(
  { root, files, faults }: DataLayout,
  options: ReadImageOptions,
): Promise<{ readonly good: Usable[]; readonly bad: Skipped[] }> {
  const good: Usable[] = [];
  const bad: Skipped[] = [...faults];
  const found = await inspectPictures(root, files, options);
  files.forEach((file, i) => {
    const inspection = found[i]!;
    if (inspection.usable) good.push({ ...file, ...inspection });
    else bad.push({ id: file.id, reason: inspection.reason });
  });
  if (options.strict && bad.length > 0) {
    const some = bad.slice(0, NAMED).map(({ id, reason }) => `${id}: ${reason}`);
    throw new DataError(
      `${bad.length} of the files cannot be used:\n  ${some.join('\n  ')}${bad.length > NAMED ? '\n  ...' : ''}\nRepair them, or leave out strict: then they are left out.`,
      { skipped: bad },
      { code: 'unusable-files' },
    );
  }
  return { good, bad };
}

/** The pictures of a data set that is for validation as a whole. */
async function readValid(path: string, options: ReadImageOptions) {
  const layout = await readDataLayout(path, options.groupBy);
  const part = layout.files.filter((f) => f.part === 'valid');
  const files = (part.length > 0 ? part : layout.files).map((f) => ({
    ...f,
    part: 'valid' as const,
  }));
  const { good, bad } = await usable({ ...layout, files }, options);
  if (good.length === 0) throw noPictures(path, [...layout.skipped, ...bad]);
  return { good, skipped: [...layout.skipped, ...bad] };
}

function noPictures(path: string, skipped: readonly Skipped[]): DataError {
  const reasons = new Map<string, number>();
  for (const { reason } of skipped) reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
  const seen = [...reasons].slice(0, NAMED).map(([reason, n]) => `${n} x ${reason}`);
  return new DataError(
    `There is no usable picture in ${path}${seen.length > 0 ? ` (left out: ${seen.join('; ')})` : ''}. Pictures lie in one folder for each class, or are named by a list with the columns file and label.`,
    { path, skipped },
    { code: 'no-data' },
  );
}

function checkValid(valid: string | number | undefined): void {
  if (typeof valid === 'number' && !(valid >= 0 && valid < 1)) {
    throw new ConfigError(
      `The share to validate on must be at least 0 and below 1, got ${valid}.`,
      {
        valid,
      },
    );
  }
}

const plural = (n: number, one: string, many = `${one}s`): string => `${n} ${n === 1 ? one : many}`;

/** Splits what has no part of its own, and says how. */
function divide(
  pool: readonly Usable[],
  classes: readonly string[],
  { valid = DEFAULT_VALID, seed = 0 }: ReadImageOptions,
): { readonly train: Usable[]; readonly valid: Usable[]; readonly text: string } {
  const fraction = valid as number;
  const looks = nearDuplicates(pool.map((f) => f.thumbnail));
  const items = pool.map(({ id, label, group }, i) => ({
    id,
    label: classes.indexOf(label),
    group,
    lookalike: looks[i]!,
  }));
  const split = stratifiedSplit(items, { fraction, seed });
  const kept = [
    split.groups > 0 ? plural(split.groups, 'group') : '',
    split.lookalikes > 0 ? plural(split.lookalikes, 'near-duplicate') : '',
  ].filter((t) => t !== '');
  const share = Number((fraction * 100).toFixed(2));
  const text = [
    `${share} % of each class by seed ${seed}: ${split.train.length} to train, ${split.valid.length} to validate`,
    ...(kept.length > 0 ? [`${kept.join(' and ')} kept together`] : []),
    ...missingText(split.missing.map((c) => classes[c]!)),
  ].join('; ');
  const pick = (positions: readonly number[]) => positions.map((i) => pool[i]!);
  return { train: pick(split.train), valid: pick(split.valid), text };
}

const missingText = (names: readonly string[]): string[] =>
  names.length > 0 ? [`nothing to validate of ${names.join(', ')}`] : [];

/**
 * Reads a labelled set of pictures: finds its layout ({@link readDataLayout}), looks into every file,
 * and splits off a validation part where there is none. Order and split are the same on every
 * machine.
 * @param path a folder or a list
 * @throws DataError for data that cannot be learned from: no picture, one class, an empty class,
 *   names that differ by case, parts with other classes; with `strict` for any unusable file
 * @throws ConfigError for a share outside of [0, 1) or a group column that is not there
 * @example
 * const { classes, train, valid, split } = await readImageDataset('photos', { seed: 1 });
 */
export async function readImageDataset(
  path: string,
  options: ReadImageOptions = {},
): Promise<ImageDataset> {
  const { valid: choice, split: splitting = true } = options;
  checkValid(choice);
  const layout = await readDataLayout(path, options.groupBy);
  const inPart = (part: DataPart | null) => layout.files.filter((f) => f.part === part);
  if (
    inPart('train').length === 0 &&
    inPart('valid').length + inPart('test').length > 0 &&
    inPart(null).length === 0 &&
    splitting
  ) {
    throw new DataError(
      `${path} has nothing to train on: all of it is valid or test.`,
      { path },
      { code: 'no-train-part' },
    );
  }
  const { good, bad } = await usable(layout, options);
  const skipped = [...layout.skipped, ...bad];
  if (good.length === 0) throw noPictures(path, skipped);

  const other = splitting && typeof choice === 'string' ? await readValid(choice, options) : null;
  // A row without a part belongs to training where others have one.
  const files = good.map((f) => ({ ...f, part: f.part ?? ('train' as const) }));
  const all = [...files.filter((f) => !other || f.part !== 'valid'), ...(other?.good ?? [])];
  const known = layout.files.filter((f) => f.part === 'train' || f.part === null);
  const classes = classOrder(
    (splitting ? known : layout.files).map((f) => f.label),
    layout.listed,
  );
  checkSpelling([...layout.files.map((f) => f.label), ...(other?.good ?? []).map((f) => f.label)]);
  const of = (part: DataPart) =>
    all.filter((f) => f.part === part).sort((a, b) => byCodePoint(a.id, b.id));
  let [train, valid] = [of('train'), of('valid')];
  let text = 'as the data lies, nothing is split off';
  if (splitting) {
    const unfilled = layout.empty.filter((f) => {
      const [first, second] = f.split('/');
      return second === undefined || partOf(first!) === 'train';
    });
    checkClasses(
      classes,
      unfilled,
      train.map((f) => f.label),
    );
    checkParts(all, classes);
    if (valid.length === 0 && choice !== 0)
      ({ train, valid, text } = divide(train, classes, options));
    else text = ownText(train, valid, classes, choice, other !== null);
  }
  const sample = ({ id, file, label, group, version }: Usable): ImageSample => ({
    id,
    file,
    label: classes.indexOf(label),
    version,
    ...(group === undefined ? {} : { group }),
  });
  return {
    root: layout.root,
    classes,
    train: train.map(sample),
    valid: valid.map(sample),
    test: of('test').map(sample),
    skipped: [...skipped, ...(other?.skipped ?? [])],
    split: text,
  };
}

function ownText(
  train: readonly Usable[],
  valid: readonly Usable[],
  classes: readonly string[],
  choice: string | number | undefined,
  elsewhere: boolean,
): string {
  if (valid.length === 0) return `${train.length} to train, nothing to validate, as asked`;
  const has = new Set(valid.map((f) => f.label));
  return [
    `${elsewhere ? `validation part from ${choice}` : 'parts of the data itself'}: ${train.length} to train, ${valid.length} to validate`,
    ...(typeof choice === 'number' ? [`the share ${choice} was not needed`] : []),
    ...missingText(classes.filter((name) => !has.has(name))),
  ].join('; ');
}
