/** Rows of JSON files (Node): SQuAD's questions, or an array of objects. */
import { stat } from 'node:fs/promises';
import { DataError } from '../../errors.js';
import { decodeText } from './decode-text.js';
import type { ReadOptions } from './lines.js';
import { objectValues, type TextRow, type TextTable } from './text-row.js';

/** Bytes of the largest JSON file: it must be held as a whole. SQuAD 2 has 42 MB. */
const MAX_JSON_BYTES = 256 * 1024 * 1024;

type Json = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function damaged(file: string, reason: string): DataError {
  return new DataError(`${file}: ${reason}`, { file, reason }, { code: 'table' });
}

async function readJson(file: string, { progress }: ReadOptions): Promise<unknown> {
  const size = (await stat(file).catch(() => null))?.size ?? 0;
  if (size > MAX_JSON_BYTES) {
    throw damaged(
      file,
      `it has ${size} bytes; JSON of more than ${MAX_JSON_BYTES} is not read. Write it as JSON lines, one object a line.`,
    );
  }
  const pieces: string[] = [];
  for await (const piece of decodeText(file, progress)) pieces.push(piece);
  try {
    return JSON.parse(pieces.join(''));
  } catch (error) {
    throw damaged(file, `this is no JSON (${(error as Error).message}).`);
  }
}

/** The questions of SQuAD's layout: data, paragraphs, qas. */
function* squadRows(file: string, articles: readonly unknown[]): Generator<TextRow> {
  const list = (value: unknown, name: string, where: string): readonly unknown[] => {
    if (Array.isArray(value)) return value;
    throw damaged(file, `${where} has no list ${name}, as SQuAD's format asks.`);
  };
  let line = 0;
  for (const [a, article] of articles.entries()) {
    const where = `article ${a + 1}`;
    const paragraphs = isObject(article) ? article.paragraphs : undefined;
    for (const [p, paragraph] of list(paragraphs, 'paragraphs', where).entries()) {
      const place = `${where}, paragraph ${p + 1}`;
      const { context, qas } = isObject(paragraph) ? paragraph : ({} as Json);
      for (const qa of list(qas, 'qas', place)) {
        line++;
        if (!isObject(qa)) throw damaged(file, `question ${line} (${place}) is no object.`);
        const values = new Map<string, unknown>();
        for (const [name, value] of [
          ['context', context],
          ['question', qa.question],
          ['answers', qa.is_impossible === true ? [] : qa.answers],
        ] as const) {
          if (value !== undefined && value !== null) values.set(name, value);
        }
        const id = qa.id;
        const name = typeof id === 'string' || typeof id === 'number' ? { name: String(id) } : {};
        yield { line, last: line, values, ...name };
      }
    }
  }
}

/**
 * Rows of a JSON file: questions in SQuAD's format (columns `question`, `context`, `answers`), or
 * the objects of an array, at the top or under `data`.
 * @throws DataError `table` for anything else
 */
export function jsonRows(file: string, options: ReadOptions): TextTable {
  const columns = new Set<string>();
  async function* rows(): AsyncGenerator<TextRow> {
    const json = await readJson(file, options);
    const items = isObject(json) ? json.data : json;
    if (!Array.isArray(items)) {
      throw damaged(
        file,
        'expected a list of objects, or data, paragraphs, qas as SQuAD has them.',
      );
    }
    if (items.some((item) => isObject(item) && 'paragraphs' in item)) {
      for (const name of ['context', 'question', 'answers']) columns.add(name);
      yield* squadRows(file, items);
      return;
    }
    for (const [i, item] of items.entries()) {
      const values = objectValues(item, columns);
      if (!values) throw damaged(file, `entry ${i + 1} is no object.`);
      yield { line: i + 1, last: i + 1, values };
    }
  }
  return { columns, rows: rows() };
}
