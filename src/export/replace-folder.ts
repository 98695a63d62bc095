/** Folders that are never seen half-written (Node). */
import { randomUUID } from 'node:crypto';
import { lstat, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import { IoError } from '../errors.js';
import { makeFolder } from '../io/index.node.js';

/** When {@link replaceFolder} may take away what is there. */
export interface ReplaceOptions {
  /** True when a folder that exists was written by the same kind of export. */
  readonly isOurs: (folder: string) => Promise<boolean>;
  /** Replace it even if it was not. */
  readonly force: boolean;
}

function refuse(folder: string, what: string): never {
  throw new IoError('exists', `'${folder}' ${what}`, { folder });
}

/** Files below `folder`, as paths relative to it. */
async function filesIn(folder: string): Promise<Set<string>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const root = resolve(folder);
  return new Set(
    entries
      .filter((e) => !e.isDirectory())
      .map((e) => resolve(e.parentPath, e.name).slice(root.length + 1)),
  );
}

async function checkTarget(target: string, { isOurs, force }: ReplaceOptions): Promise<boolean> {
  const found = await lstat(target).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  if (!found) return false;
  if (!found.isDirectory()) {
    refuse(target, 'exists and is not a folder. Choose another place.');
  }
  const empty = (await readdir(target)).length === 0;
  if (!empty && !force && !(await isOurs(target))) {
    refuse(
      target,
      'exists and was not written by an export. Choose another folder, or force it: everything in it is then lost.',
    );
  }
  return true;
}

/** Refuses to lose files that somebody has put beside the exported ones. */
async function checkExtra(target: string, fresh: string): Promise<void> {
  const made = await filesIn(fresh);
  const extra = [...(await filesIn(target))].filter((file) => !made.has(file));
  if (extra.length > 0) {
    refuse(
      target,
      `holds ${extra.slice(0, 3).join(', ')}${extra.length > 3 ? ` and ${extra.length - 3} more` : ''}, which the export does not write. Move them away, or force it: they are then lost.`,
    );
  }
}

/**
 * Fills a folder beside `folder`, which then takes its place. When anything fails, what was there
 * before is still there and nothing else is left.
 * @param fill writes everything into the folder that it is given
 * @returns the absolute path of the folder
 * @throws IoError with code `exists` when something is there that may not be taken away
 */
export async function replaceFolder(
  folder: string,
  fill: (folder: string) => Promise<void>,
  options: ReplaceOptions,
): Promise<string> {
  const target = resolve(folder);
  const exists = await checkTarget(target, options);
  const beside = (kind: string) =>
    `${dirname(target)}/.${basename(target)}.${randomUUID()}.${kind}`;
  const fresh = beside('tmp');
  await makeFolder(resolve(fresh));
  try {
    await fill(fresh);
    if (exists && !options.force) await checkExtra(target, fresh);
    if (!exists) {
      await rename(fresh, target);
      return target;
    }
    const old = beside('old');
    await rename(target, old);
    try {
      await rename(fresh, target);
    } catch (error) {
      await rename(old, target);
      throw error;
    }
    await rm(old, { recursive: true, force: true });
    return target;
  } catch (error) {
    await rm(fresh, { recursive: true, force: true });
    throw error;
  }
}
