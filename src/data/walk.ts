/** Files below a folder (Node), in one order on every machine, without leaving it through links. */
import { readdir, realpath, stat } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { byCodePoint } from './code-point-order.js';
import type { Skipped } from './image.js';

/** A file below the root. */
export interface FoundFile {
  /** Path from the root, `/` between parts. */
  readonly id: string;
  readonly file: string;
}

/** What lies below a folder. */
export interface Walked {
  readonly files: FoundFile[];
  /** Folders by their path from the root, without the root itself, empty ones too. */
  readonly folders: string[];
  readonly skipped: Skipped[];
}

/** Folders within folders, at most: deeper trees are loops or mistakes. */
const MAX_DEPTH = 32;

/** True when `path` is `root` or lies below it; both without links. */
export function liesWithin(root: string, path: string): boolean {
  return path === root || path.startsWith(root.endsWith(sep) ? root : root + sep);
}

/** Files that systems leave behind, beside those that begin with a dot. */
const SYSTEM = new Set(['Thumbs.db', 'desktop.ini', '__MACOSX', '$RECYCLE.BIN']);

/** True for a name that people do not mean as data. */
export function isHidden(name: string): boolean {
  return name.startsWith('.') || SYSTEM.has(name);
}

/**
 * Lists all files below `root` in the order of code points.
 *
 * Hidden files are left out, so are links that lead out of the root: a data set that was unpacked
 * from somewhere must not read what it likes. Links to folders inside are left out too, since their
 * files are listed where they are.
 */
export async function walk(root: string): Promise<Walked> {
  const base = await realpath(root);
  const found: Walked = { files: [], folders: [], skipped: [] };
  const visit = async (folder: string, prefix: string, depth: number): Promise<void> => {
    const entries = await readdir(folder, { withFileTypes: true });
    entries.sort((a, b) => byCodePoint(a.name, b.name));
    for (const entry of entries) {
      const id = prefix + entry.name;
      const file = join(folder, entry.name);
      const skip = (reason: string) => found.skipped.push({ id, reason });
      if (isHidden(entry.name)) {
        skip('hidden file');
        continue;
      }
      let kind: { isFile(): boolean; isDirectory(): boolean } = entry;
      if (entry.isSymbolicLink()) {
        const target = await realpath(file).catch(() => null);
        if (target === null) {
          skip('link to nothing');
          continue;
        }
        if (!liesWithin(base, target)) {
          skip('link that leads out of the data set');
          continue;
        }
        kind = await stat(target);
        if (kind.isDirectory()) {
          skip('link to a folder of the data set');
          continue;
        }
      }
      if (kind.isDirectory()) {
        if (depth >= MAX_DEPTH) {
          skip(`folder more than ${MAX_DEPTH} deep`);
          continue;
        }
        found.folders.push(id);
        await visit(file, `${id}/`, depth + 1);
      } else if (kind.isFile()) found.files.push({ id, file });
      else skip('neither file nor folder');
    }
  };
  await visit(base, '', 0);
  return found;
}
