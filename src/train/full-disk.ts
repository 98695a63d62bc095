/** A disk without room, said in words (Node). */
import { IoError } from '../errors.js';

/** What systems call it: no space, no quota, a file as large as the process may write. */
const FULL: ReadonlySet<unknown> = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);

/**
 * Does work that writes below `folder`.
 * @throws IoError `disk-full` in place of what the system says of a full disk; other errors as they are
 */
export async function explainFullDisk<T>(folder: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (!FULL.has((cause as NodeJS.ErrnoException | null)?.code)) throw cause;
    throw new IoError(
      'disk-full',
      `There is no room to save in ${folder}; what was saved before is still whole. Free some space, then go on with --resume.`,
      { folder },
      { cause },
    );
  }
}
