/** Rows to samples whose labels are still names: what a row must have, and what is wrong with it. */
import type { TextColumns } from './columns.js';
import type { AnswerSpan, TextKind, TextProblem, TextSamples } from './dataset.js';
import type { TextRow } from './text-row.js';

/** A sample before its classes are numbered. */
export interface Draft<K extends TextKind = TextKind> {
  /** Names of its classes or tags; none for kinds without. */
  readonly names: readonly string[];
  /** What must not lie on both sides of a split: the text, or the context of a question. */
  readonly key: string;
  /** The sample for given numbers of the names. */
  readonly make: (indices: readonly number[]) => TextSamples[K];
}

/** What is wrong with a row, as the end of a sentence. */
type Fault = { readonly fault: string };

const SURROGATE = /\p{Surrogate}/u;

/** A value as a text; numbers and truth values are written out. */
function textOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  return undefined;
}

/** Characters that no tokenizer can do anything with. */
function wrongCharacters(text: string): string | null {
  if (text.includes('\0')) return 'holds a NUL character';
  return SURROGATE.test(text) ? 'is no valid Unicode (half of a surrogate pair)' : null;
}

class RowFault extends Error {}

function need(row: TextRow, column: string | undefined, what: string): string {
  const value = column === undefined ? undefined : row.values.get(column);
  if (value === undefined) throw new RowFault(`has no ${what}`);
  const text = textOf(value);
  if (text === undefined) throw new RowFault(`has a ${what} that is no text`);
  if (text.trim() === '') throw new RowFault(`has no ${what}`);
  const wrong = wrongCharacters(text);
  if (wrong) throw new RowFault(`has a ${what} that ${wrong}`);
  return text;
}

/** The number that a value is or writes; undefined for anything else. */
export function numberOf(value: unknown): number | undefined {
  if (typeof value === 'number') return Number.isFinite(value) ? value : undefined;
  if (typeof value !== 'string' || !/^\s*[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?\s*$/i.test(value)) {
    return undefined;
  }
  const number = Number(value);
  return Number.isFinite(number) ? number : undefined;
}

function score(row: TextRow, column: string): number {
  need(row, column, 'score');
  const number = numberOf(row.values.get(column));
  if (number === undefined) {
    throw new RowFault(`has the score "${textOf(row.values.get(column))}", which is no number`);
  }
  return number;
}

function list(row: TextRow, column: string, what: string): readonly string[] {
  const value = row.values.get(column);
  if (!Array.isArray(value)) throw new RowFault(`has no list of ${what}`);
  return value.map((v, i) => {
    const text = textOf(v);
    if (text === undefined || text.trim() === '') {
      throw new RowFault(`has no text at place ${i + 1} of ${what}`);
    }
    const wrong = wrongCharacters(text);
    if (wrong) throw new RowFault(`has a text in ${what} that ${wrong}`);
    return text;
  });
}

/** Several labels: a list, or a text with `|` between them. */
export function labelList(value: unknown): readonly string[] | undefined {
  if (Array.isArray(value)) {
    const texts = value.map(textOf);
    return texts.every((t) => t !== undefined && t.trim() !== '')
      ? texts.map((t) => t!.trim())
      : undefined;
  }
  return textOf(value)
    ?.split('|')
    .map((t) => t.trim())
    .filter((t) => t !== '');
}

/** UTF-16 units of the first `points` characters; -1 when there are fewer. */
function unitsOf(text: string, points: number): number {
  let at = 0;
  for (let i = 0; i < points; i++) {
    if (at >= text.length) return -1;
    at += text.codePointAt(at)! > 0xffff ? 2 : 1;
  }
  return at;
}

/** Pairs of text and start, from the forms that SQuAD takes in JSON, Parquet and plain tables. */
function rawAnswers(row: TextRow, { of }: TextColumns): readonly (readonly [unknown, unknown])[] {
  const value = row.values.get(of.answers!);
  if (value === undefined) return [];
  if (typeof value === 'string') {
    return [[value, of.start === undefined ? undefined : row.values.get(of.start)]];
  }
  if (Array.isArray(value)) {
    return value.map((a: unknown) => {
      const { text, answer_start, start } = (a ?? {}) as Record<string, unknown>;
      return [text, answer_start ?? start];
    });
  }
  const { text, answer_start, start } = value as Record<string, unknown>;
  const starts = answer_start ?? start;
  if (!Array.isArray(text) || !Array.isArray(starts)) return [[text, starts]];
  return text.map((t, i) => [t, (starts as unknown[])[i]]);
}

function answers(row: TextRow, columns: TextColumns, context: string): AnswerSpan[] {
  return rawAnswers(row, columns).map(([rawText, rawStart]) => {
    const text = textOf(rawText);
    if (text === undefined || text === '') throw new RowFault('has an answer without text');
    if (rawStart === undefined || rawStart === null) {
      const start = context.indexOf(text);
      if (start < 0) throw new RowFault(`has the answer "${text}", which its context has not`);
      return { text, start };
    }
    const points = numberOf(rawStart);
    const start = points === undefined || points < 0 ? -1 : unitsOf(context, points);
    if (start < 0 || !context.startsWith(text, start)) {
      throw new RowFault(`has the answer "${text}", which is not in its context at ${rawStart}`);
    }
    return { text, start };
  });
}

/** A target, or a list of them, the first being the one to learn. */
function targets(row: TextRow, column: string): { target: string; references?: readonly string[] } {
  const value = row.values.get(column);
  const all = Array.isArray(value) ? list(row, column, 'targets') : [need(row, column, 'target')];
  if (all.length === 0) throw new RowFault('has no target');
  const more = row.values.get('references');
  const references = Array.isArray(more) ? list(row, 'references', 'references') : all;
  const merged = [...new Set([all[0]!, ...references])];
  return { target: all[0]!, ...(merged.length > 1 ? { references: merged } : {}) };
}

/** Joins the parts of a key; no text holds the separator. */
const keyOf = (...parts: readonly (string | undefined)[]): string =>
  parts.map((p) => p ?? '').join('\0');

type Maker<K extends TextKind> = (row: TextRow, id: string, columns: TextColumns) => Draft<K>;

function texts(row: TextRow, { of }: TextColumns) {
  const text = need(row, of.text, 'text');
  const text2 = of.text2 === undefined ? {} : { text2: need(row, of.text2, 'second text') };
  return { text, ...text2 };
}

const makers: { readonly [K in TextKind]: Maker<K> } = {
  'single-label': (row, id, columns) => {
    const both = texts(row, columns);
    const label = need(row, columns.of.label, 'label').trim();
    const make = ([index]: readonly number[]) => ({ id, ...both, label: index! });
    return { names: [label], key: keyOf(both.text, both.text2), make };
  },
  'multi-label': (row, id, columns) => {
    const both = texts(row, columns);
    const value = row.values.get(columns.of.label!);
    if (value === undefined) throw new RowFault('has no labels');
    const names = labelList(value);
    if (!names) throw new RowFault('has labels that are no texts');
    const make = (indices: readonly number[]) => ({
      id,
      ...both,
      labels: [...indices].sort((a, b) => a - b),
    });
    return { names: [...new Set(names)], key: keyOf(both.text, both.text2), make };
  },
  regression: (row, id, columns) => {
    const both = texts(row, columns);
    const value = score(row, columns.of.label!);
    return {
      names: [],
      key: keyOf(both.text, both.text2),
      make: () => ({ id, ...both, score: value }),
    };
  },
  tags: (row, id, { of }) => {
    const words = list(row, of.words!, 'words');
    const tags = list(row, of.tags!, 'tags');
    if (words.length !== tags.length) {
      throw new RowFault(`has ${words.length} words but ${tags.length} tags`);
    }
    if (words.length === 0) throw new RowFault('has no word');
    return { names: tags, key: keyOf(...words), make: (indices) => ({ id, words, tags: indices }) };
  },
  pairs: (row, id, { of }) => {
    const source = need(row, of.source, 'source');
    const target = targets(row, of.target!);
    return { names: [], key: source, make: () => ({ id, source, ...target }) };
  },
  plain: (row, id, { of }) => {
    const text = need(row, of.text, 'text');
    return { names: [], key: text, make: () => ({ id, text }) };
  },
  questions: (row, id, columns) => {
    const question = need(row, 'question', 'question');
    const context = need(row, 'context', 'context');
    const spans = answers(row, columns, context);
    return { names: [], key: context, make: () => ({ id, question, context, answers: spans }) };
  },
  similar: (row, id, columns) => {
    const { text, text2 } = texts(row, columns);
    const value = columns.of.score === undefined ? {} : { score: score(row, columns.of.score) };
    return {
      names: [],
      key: text,
      make: () => ({ id, text, text2: text2!, ...value }),
    };
  },
};

/**
 * The sample of a row.
 * @returns what is wrong with the row, to be said after "line N", when it is of no use
 */
export function draftOf<K extends TextKind>(
  kind: K,
  row: TextRow,
  id: string,
  columns: TextColumns,
): Draft<K> | Fault {
  try {
    return makers[kind](row, id, columns);
  } catch (error) {
    if (error instanceof RowFault) return { fault: error.message };
    throw error;
  }
}

/** Share of numbers among scores: the rest are slips, which are then told of row by row. */
const MOSTLY = 0.9;

/**
 * Whether labels are one class each, several, or numbers to predict: several where one is a list,
 * or a column `labels` has a `|`; numbers where nearly all are numbers and one is not whole. Whole numbers may name
 * classes (0 and 1) or be ratings (1 to 5): they are classes unless a person says otherwise.
 */
export function labelKind(rows: readonly TextRow[], column: string): TextProblem {
  const several = (v: unknown) =>
    Array.isArray(v) || (column === 'labels' && typeof v === 'string' && v.includes('|'));
  let [values, numbers, fractions] = [0, 0, 0];
  for (const row of rows) {
    const value = row.values.get(column);
    if (several(value)) return 'multi-label';
    const number = numberOf(value);
    if (value !== undefined) values++;
    if (number !== undefined) numbers++;
    if (number !== undefined && !Number.isInteger(number)) fractions++;
  }
  return fractions > 0 && numbers >= MOSTLY * values ? 'regression' : 'single-label';
}
