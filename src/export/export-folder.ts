/** Folders of exported models on disk (Node). */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { openCheckpointFolder } from '../io/index.node.js';
import { isMarked } from './layout.js';
import { replaceFolder } from './replace-folder.js';

async function isOurs(folder: string): Promise<boolean> {
  try {
    return isMarked(await openCheckpointFolder(folder).json('config.json'));
  } catch {
    return false;
  }
}

/**
 * Writes an exported model's folder, whole or not at all.
 * @param fill writes everything into the folder that it is given
 * @param force replace a folder that was not written by an export
 * @returns its absolute path, and the files in it
 * @throws IoError with code `exists` when something is there that may not be taken away
 */
export async function exportFolder(
  folder: string,
  fill: (folder: string) => Promise<void>,
  force: boolean,
): Promise<{ folder: string; files: string[] }> {
  const target = await replaceFolder(folder, fill, { isOurs, force });
  const entries = await readdir(target, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((e) => e.isFile())
    .map((e) => join(e.parentPath, e.name).slice(target.length + 1))
    .sort();
  return { folder: target, files };
}
