/** One process a run: a file in the run's folder names the one that writes it. */
import { randomUUID } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { link, readFile, rename, rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join, resolve } from 'node:path';
import { ConfigError, IoError } from '../errors.js';
import { makeFolder } from '../io/index.node.js';

/** Name of the file. */
export const LOCK = 'run.lock';

/** Who writes a run. */
interface Owner {
  readonly pid: number;
  readonly host: string;
  /** When the process began, as the system counts; empty where it does not say. */
  readonly started: string;
}

/**
 * When a process began; null when there is none, or only one that was killed and not yet taken
 * notice of. Numbers of processes are used again, so the number alone does not tell one from another.
 */
function startOf(pid: number): string | null {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return null;
  }
  try {
    // The name of the program stands in parentheses and may hold anything.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)!.split(' ');
    return fields[0] === 'Z' || fields[0] === 'X' ? null : (fields[19] ?? '');
  } catch {
    return '';
  }
}

/** What a lock says; null when it is damaged: its writer died, or the disk was full. */
function ownerOf(text: string): Owner | null {
  try {
    const { pid, host, started } = JSON.parse(text) as Partial<Owner>;
    const whole = Number.isSafeInteger(pid) && (pid as number) > 0;
    if (!whole || typeof host !== 'string' || typeof started !== 'string') return null;
    return { pid: pid as number, host, started };
  } catch {
    return null;
  }
}

/** Whether the process may still be writing; of another machine's nothing is known. */
function mayWrite({ pid, host, started }: Owner): boolean {
  if (host !== hostname()) return true;
  const now = startOf(pid);
  return now !== null && (now === '' || started === '' || now === started);
}

function busy(path: string, { pid, host }: Owner): ConfigError {
  const elsewhere = host === hostname() ? '' : ` on ${host}`;
  return new ConfigError(
    `Process ${pid}${elsewhere} is writing this run. Wait until it has ended or end it; if it is gone, remove ${path}.`,
    { path, pid, host },
    'run-busy',
  );
}

/** Moves a lock away whose process is gone, unless it has become another one meanwhile. */
async function removeStale(path: string, text: string): Promise<void> {
  const aside = `${path}.${randomUUID()}.tmp`;
  try {
    await rename(path, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  const moved = await readFile(aside, 'utf8');
  if (moved !== text) await link(aside, path).catch(() => {});
  await rm(aside, { force: true });
}

async function take(path: string): Promise<void> {
  const owner: Owner = { pid: process.pid, host: hostname(), started: startOf(process.pid) ?? '' };
  for (;;) {
    try {
      // At once, so that nobody sees a lock that does not say whose it is.
      writeFileSync(path, JSON.stringify(owner), { flag: 'wx' });
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const text = await readFile(path, 'utf8').catch(() => null);
    if (text === null) continue;
    const other = ownerOf(text);
    if (other && mayWrite(other)) throw busy(path, other);
    await removeStale(path, text);
  }
}

/**
 * Does work while no other process may write the run in `folder`, which is made if need be. The lock
 * of a process that was killed is no hindrance.
 * @throws ConfigError `run-busy` when another process writes it; IoError `out` for a place that cannot
 *   be written to
 */
export async function withRunLock<T>(folder: string, work: () => Promise<T>): Promise<T> {
  const path = join(folder, LOCK);
  try {
    await makeFolder(resolve(folder));
    await take(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // Where a folder takes no new ones, as in /proc, the system says that there is none.
    const refused = ['EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'EEXIST', 'ENAMETOOLONG', 'ENOENT'];
    if (!refused.includes(code ?? '')) throw error;
    throw new IoError(
      'out',
      `${folder} cannot be written to (${code}). Choose another folder with --out.`,
      { folder },
      { cause: error },
    );
  }
  try {
    return await work();
  } finally {
    await rm(path, { force: true });
  }
}
