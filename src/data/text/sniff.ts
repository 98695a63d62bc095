/** The delimiter of a table whose ending does not tell it. */
import { readLines } from './lines.js';

/** Lines that are looked at. */
const LOOK_AHEAD = 20;

const NAMES = { ';': 'semicolons', '\t': 'tabs' } as const;

/** A delimiter other than the comma, and how people call it. */
export interface Sniffed {
  readonly delimiter: keyof typeof NAMES;
  readonly name: string;
}

/** Cells of a line; what stands in quotes is no delimiter. */
const cellsOf = (line: string, delimiter: string): number =>
  line.replaceAll(/"[^"]*"/g, '').split(delimiter).length;

/**
 * The delimiter of a file that is called CSV: a semicolon, as spreadsheets write it where the comma
 * is in numbers, or a tab. It must split the header, which has no comma, and the row after it into
 * as many columns.
 * @returns null for commas, and for a single column
 * @throws DataError `encoding`
 */
export async function sniffDelimiter(file: string): Promise<Sniffed | null> {
  const lines: string[] = [];
  for await (const { line, text } of readLines(file, { onFault: () => {} })) {
    if (text.trim() !== '') lines.push(text);
    if (lines.length === 2 || line >= LOOK_AHEAD) break;
  }
  const [header = '', first = header] = lines;
  if (cellsOf(header, ',') > 1) return null;
  for (const delimiter of [';', '\t'] as const) {
    const columns = cellsOf(header, delimiter);
    if (columns > 1 && cellsOf(first, delimiter) === columns) {
      return { delimiter, name: NAMES[delimiter] };
    }
  }
  return null;
}
