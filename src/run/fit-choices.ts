/** From what was asked for to the choices of a run, new or gone on with. */
import { basename, resolve } from 'node:path';
import { looksLikeText } from '../data/index.node.js';
import { ConfigError } from '../errors.js';
import type { FitOptions } from './fit.js';
import { CHOICE_KEYS, type FitChoices, fitDefaults, type RunTask } from './options.js';
import { RunFolder, type RunRecord } from './run-folder.js';

/** Those that may name a place on the disk, which the run keeps as an absolute path. */
const PATHS: ReadonlySet<string> = new Set(['data', 'valid', 'addTokens']);

function dataOf(data: string | undefined): string {
  if (data !== undefined) return resolve(data);
  throw new ConfigError('fit: give a folder or a list of labelled pictures or texts.', {}, 'usage');
}

/** What was chosen, by name, with paths as the run keeps them. */
function given(options: FitOptions): [string, unknown][] {
  return Object.entries(options).flatMap(([key, value]): [string, unknown][] => {
    if (value === undefined || !CHOICE_KEYS.has(key)) return [];
    return [[key, PATHS.has(key) && typeof value === 'string' ? resolve(value) : value]];
  });
}

/**
 * The folder of the run; below `runs`, named after the data, when none is given.
 * @throws ConfigError when there is nothing to name it after
 */
export async function folderOf({ out, data, resume }: FitOptions): Promise<RunFolder> {
  if (out !== undefined) return new RunFolder(resolve(out));
  if (resume) throw new ConfigError('resume: give the folder of the run with --out.', {}, 'usage');
  const name = basename(dataOf(data)).replace(/\.[^.]+$/, '') || 'run';
  return RunFolder.free(resolve('runs'), name);
}

/**
 * The choices of a new run. Where no task is named, that of texts is found out when they are read.
 * @throws ConfigError without data
 */
export async function chosen(options: FitOptions): Promise<FitChoices> {
  const data = dataOf(options.data);
  const task: RunTask =
    options.task ?? ((await looksLikeText(data)) ? 'text-classification' : 'image-classification');
  return { ...fitDefaults(task), ...Object.fromEntries(given(options)), task, data };
}

/**
 * The choices of the run that is gone on with.
 * @throws ConfigError when one is given again and is another
 */
export function resumed({ choices }: RunRecord, options: FitOptions): FitChoices {
  for (const [key, value] of given(options)) {
    const kept = choices[key as keyof FitChoices];
    if (kept === value) continue;
    throw new ConfigError(
      `resume: the run was begun with ${kept === undefined ? `no ${key}` : `${key} ${kept}`}, now it is ${value}. Leave it out, or begin a new run with another --out.`,
      { key, kept, value },
    );
  }
  return choices;
}
