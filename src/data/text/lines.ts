/** Lines of a text file (Node), with a bound on what one may hold in memory. */
import { decodeText } from './decode-text.js';

/**
 * Characters of the longest line or record that is read: thousands of pages. What is longer is a
 * file without line ends or a quote that nobody closed, and would otherwise fill the memory.
 */
export const MAX_LINE = 1024 * 1024;

/** How rows are read from a file. */
export interface ReadOptions {
  /** Told of each line that is left out. */
  readonly onFault: (line: number, reason: string) => void;
  /** Told of each cell that holds a sign for no value, such as `NaN`. */
  readonly onMissing?: ((column: string, sign: string) => void) | undefined;
  /** Told what else there is to know of the file, the end of a sentence about it. */
  readonly onNote?: ((text: string) => void) | undefined;
  /** Called with the bytes of the file that were read so far. */
  readonly progress?: ((bytes: number) => void) | undefined;
}

/** What is said of a line that is too long. */
export const tooLong = (length: number): string =>
  `is ${length} characters long; lines of more than ${MAX_LINE} are left out`;

/** A line without its end. */
export interface Line {
  /** From 1. */
  readonly line: number;
  readonly text: string;
}

/**
 * Lines of a file, split at line feeds; a carriage return before one is dropped. A line of more
 * than {@link MAX_LINE} characters is left out and told of; it is never held as a whole.
 * @throws DataError `encoding`
 */
export async function* readLines(
  file: string,
  { onFault, progress }: ReadOptions,
): AsyncGenerator<Line> {
  let line = 1;
  let held: string[] = [];
  let length = 0;
  const take = (): Line | null => {
    const text = held.join('');
    const long = length;
    held = [];
    length = 0;
    if (long > MAX_LINE) {
      onFault(line++, tooLong(long));
      return null;
    }
    return { line: line++, text: text.endsWith('\r') ? text.slice(0, -1) : text };
  };
  const add = (piece: string): void => {
    length += piece.length;
    if (length > MAX_LINE) held = [];
    else held.push(piece);
  };
  for await (const chunk of decodeText(file, progress)) {
    let from = 0;
    for (let at = chunk.indexOf('\n'); at >= 0; at = chunk.indexOf('\n', from)) {
      add(chunk.slice(from, at));
      from = at + 1;
      const whole = take();
      if (whole) yield whole;
    }
    add(chunk.slice(from));
  }
  if (length > 0) {
    const whole = take();
    if (whole) yield whole;
  }
}
