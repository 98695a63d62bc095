/** Errors of text files, all of one form: file, line, what is wrong. */
import { DataError } from '../../errors.js';

/** A fault at a line of a file; `reason` is a sentence that says what to do. */
export function lineError(file: string, line: number, reason: string, code = 'table'): DataError {
  return new DataError(`${file}, line ${line}: ${reason}`, { file, line, reason }, { code });
}
