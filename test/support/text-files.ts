/** Files of texts that are gone after the test that made them. */
import { join } from 'node:path';
import { afterEach, expect } from 'vitest';
import type { TextTaskName } from '../../src/data/index.js';
import { type ReadTextOptions, readTextDataset } from '../../src/data/index.node.js';
import { GraftError } from '../../src/errors.js';
import { temporaryFolder, writeFiles } from './pictures.js';

const folders: { remove: () => void }[] = [];

/** To be called once in a file of tests. */
export function textFiles() {
  afterEach(() => {
    for (const folder of folders.splice(0)) folder.remove();
  });
  /** A folder with the given files. */
  const folder = (files: Record<string, string | Uint8Array>): string => {
    const made = temporaryFolder();
    folders.push(made);
    writeFiles(made.path, files);
    return made.path;
  };
  /** A file by itself. */
  const file = (name: string, content: string | Uint8Array): string =>
    join(folder({ [name]: content }), name);
  return { folder, file };
}

/** The data of a file or folder as it lies. */
export const readWhole = (path: string, task?: TextTaskName) =>
  readTextDataset(path, { task, split: false });

/** The error that reading ends with. */
export async function failure(path: string, options?: ReadTextOptions): Promise<GraftError> {
  const error = await readTextDataset(path, options).then(
    () => null,
    (e: unknown) => e,
  );
  expect(error).toBeInstanceOf(GraftError);
  return error as GraftError;
}

/** CSV of reviews, two classes in turn. */
export const reviews = (n: number, from = 0) =>
  `text,label\n${Array.from({ length: n }, (_, i) => `review ${from + i},${i % 2 ? 'good' : 'bad'}`).join('\n')}\n`;
