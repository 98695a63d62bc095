/** Texts of a plain text file (Node): its lines, or its paragraphs where blank lines part them. */
import { type Line, MAX_LINE, type ReadOptions, readLines } from './lines.js';
import type { TextRow, TextTable } from './text-row.js';

/** Lines that are looked at to tell the two apart. */
const LOOK_AHEAD = 1000;

/**
 * Rows with the column `text`. A file is read by paragraphs if one of its first 1000 lines is blank
 * and has text after it; else each line is a text. A paragraph of more than {@link MAX_LINE}
 * characters is cut at a line end.
 * @throws DataError `encoding`
 */
export function plainRows(file: string, options: ReadOptions): TextTable {
  const row = (line: number, last: number, text: string): TextRow => ({
    line,
    last,
    values: new Map([['text', text]]),
  });
  async function* rows(): AsyncGenerator<TextRow> {
    const lines = readLines(file, options);
    const ahead: Line[] = [];
    while (ahead.length < LOOK_AHEAD) {
      const { value, done } = await lines.next();
      if (done) break;
      ahead.push(value);
    }
    const blank = ({ text }: Line) => text.trim() === '';
    const from = ahead.findIndex((l) => !blank(l));
    const to = ahead.findLastIndex((l) => !blank(l));
    const paragraphs = ahead.slice(from, to).some(blank);
    async function* all(): AsyncGenerator<Line> {
      yield* ahead.splice(0);
      yield* lines;
    }
    let held: Line[] = [];
    let length = 0;
    const take = (): TextRow => {
      const text = held.map((l) => l.text).join('\n');
      const made = row(held[0]!.line, held.at(-1)!.line, text);
      held = [];
      length = 0;
      return made;
    };
    for await (const line of all()) {
      const end = blank(line);
      if (held.length > 0 && (end || !paragraphs || length + line.text.length >= MAX_LINE)) {
        yield take();
      }
      if (end) continue;
      held.push(line);
      length += line.text.length + 1;
    }
    if (held.length > 0) yield take();
  }
  return { columns: new Set(['text']), rows: rows() };
}
