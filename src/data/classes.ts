/** The classes of a data set, and whether they can be told apart. */
import { DataError } from '../errors.js';
import { byCodePoint } from './code-point-order.js';
import type { LabelledFile } from './list.js';

/**
 * The names in order: by code point; those of a list that are all whole numbers by value, so that
 * class 10 comes after class 9 and position and number agree.
 */
export function classOrder(labels: Iterable<string>, listed: boolean): string[] {
  const names = [...new Set(labels)].sort(byCodePoint);
  const numeric = listed && names.every((n) => /^(0|[1-9]\d{0,14})$/.test(n));
  return numeric ? names.sort((a, b) => Number(a) - Number(b)) : names;
}

/** Where a name stands first, for messages: ` (a.csv:3)`. */
export type FirstPlace = (name: string) => string;

const nowhere: FirstPlace = () => '';

/**
 * Refuses names that differ by case or by the way accents are written only.
 * @throws DataError `class-case`
 */
export function checkSpelling(names: Iterable<string>, where: FirstPlace = nowhere): void {
  const seen = new Map<string, string>();
  for (const name of new Set(names)) {
    const key = name.normalize('NFC').toLowerCase();
    const other = seen.get(key);
    if (other !== undefined) {
      throw new DataError(
        `The classes "${other}"${where(other)} and "${name}"${where(name)} differ only in how they are written. Give them one name.`,
        { classes: [other, name] },
        { code: 'class-case' },
      );
    }
    seen.set(key, name);
  }
}

/**
 * Refuses classes that are validated or tested but not trained.
 * @throws DataError `class-sets`
 */
export function checkParts(
  files: readonly Pick<LabelledFile, 'part' | 'label'>[],
  classes: readonly string[],
  where: FirstPlace = nowhere,
): void {
  const known = new Set(classes);
  for (const part of ['valid', 'test'] as const) {
    const more = classOrder(
      files.filter((f) => f.part === part && !known.has(f.label)).map((f) => f.label),
      false,
    );
    if (more.length === 0) continue;
    throw new DataError(
      `The ${part} part has ${more.length > 1 ? 'classes' : 'the class'} ${more.map((name) => name + where(name)).join(', ')}, which the training part has not (it has ${classes.join(', ')}). Both need the same classes.`,
      { part, more, classes },
      { code: 'class-sets' },
    );
  }
}

/**
 * Refuses what nothing can be learned from.
 * @param empty class folders without a picture
 * @param found labels of the pictures to train on
 * @throws DataError `empty-class`, `one-class`
 */
export function checkClasses(
  classes: readonly string[],
  empty: readonly string[],
  found: readonly string[],
): void {
  const lost = classes.filter((name) => !found.includes(name));
  if (empty.length > 0 || lost.length > 0) {
    const names = [...new Set([...empty, ...lost])].join(', ');
    throw new DataError(
      `There is no usable picture in ${names}. Put pictures there, or take the class out.`,
      { classes: [...empty, ...lost] },
      { code: 'empty-class' },
    );
  }
  if (classes.length === 1) {
    throw new DataError(
      `There is one class only, "${classes[0]}"; a classifier needs at least two. Pictures lie in one folder for each class.`,
      { classes },
      { code: 'one-class' },
    );
  }
}
