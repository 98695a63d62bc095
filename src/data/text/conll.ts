/** Sentences of CoNLL files (Node): a word a line, its tag in the last column, blank lines between. */
import { DataError } from '../../errors.js';
import { type ReadOptions, readLines } from './lines.js';
import { lineError } from './text-error.js';
import type { TextRow, TextTable } from './text-row.js';

/** Words of the longest sentence: more means that the blank lines between sentences are lost. */
const MAX_WORDS = 10_000;

/** `# sent_id = 3`: what CoNLL-U writes above a sentence. */
const COMMENT = /^#\s?\S+ = /;

/**
 * Rows with the columns `words` and `tags`. Columns are separated by tabs if the first line has
 * one, else by spaces and tabs; the first is the word, the last the tag. Lines that begin with
 * `-DOCSTART-` are left out.
 * @throws DataError `table` at a line whose number of columns is not that of the first
 */
export function conllRows(file: string, options: ReadOptions): TextTable {
  const columns = new Set(['words', 'tags']);
  async function* rows(): AsyncGenerator<TextRow> {
    let width = 0;
    let first = 0;
    let tabs = false;
    let words: string[] = [];
    let tags: string[] = [];
    let start = 0;
    let last = 0;
    const sentence = (): TextRow => {
      const values = new Map<string, unknown>([
        ['words', words],
        ['tags', tags],
      ]);
      words = [];
      tags = [];
      return { line: start, last, values };
    };
    for await (const { line, text } of readLines(file, options)) {
      if (text.trim() === '') {
        if (words.length > 0) yield sentence();
        continue;
      }
      if (text.startsWith('-DOCSTART-')) continue;
      if (words.length === 0 && COMMENT.test(text)) continue;
      if (width === 0) tabs = text.includes('\t');
      // Spaces other than these two may be part of a word.
      const cells = tabs ? text.split('\t') : text.trim().split(/[ \t]+/);
      if (width === 0) {
        [width, first] = [cells.length, line];
        if (width < 2) {
          throw lineError(
            file,
            line,
            `"${text}" has one column; a word and its tag are needed, separated by spaces or a tab.`,
          );
        }
      }
      const [word, tag] = [cells[0]!.trim(), cells.at(-1)!.trim()];
      if (cells.length !== width || word === '' || tag === '') {
        throw lineError(
          file,
          line,
          `"${text.slice(0, 80)}" has ${cells.filter((c) => c.trim() !== '').length} columns, line ${first} has ${width}. Each line is a word, ... and its tag; blank lines separate sentences.`,
        );
      }
      if (words.length === 0) start = line;
      last = line;
      words.push(word);
      tags.push(tag);
      if (words.length > MAX_WORDS) {
        throw lineError(
          file,
          start,
          `the sentence that begins here has more than ${MAX_WORDS} words. Put a blank line after each sentence.`,
        );
      }
    }
    if (words.length > 0) yield sentence();
    if (width === 0) throw new DataError(`${file} has no word.`, { file }, { code: 'table' });
  }
  return { columns, rows: rows() };
}
