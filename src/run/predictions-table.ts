/** Answers as a table beside the data that was asked about: one row an answer, joined by its place. */
import { stat } from 'node:fs/promises';
import { dirname, extname, resolve } from 'node:path';
import { ConfigError, IoError } from '../errors.js';
import { writeWhole } from '../io/index.node.js';
import type { Prediction, PredictionList } from './apply.js';

/** A row of the table. */
interface TableRow {
  /** The picture, or `file:line` of the text. */
  readonly place: string;
  readonly text?: string;
  readonly text2?: string;
  /** A class, a number, several classes, what was written, entities, or an embedding. */
  readonly answer: unknown;
  /** Of the class; of several one each. */
  readonly probability?: number | readonly number[];
}

const COLUMNS = ['place', 'text', 'text2', 'answer', 'probability'] as const;

const endingOf = (path: string): string => extname(path).slice(1).toLowerCase();

/**
 * Refuses a place for a table before anything is computed.
 * @param inputs what is asked about, which is not to be written over
 * @throws ConfigError `usage` for a file of another kind, or one of the inputs; IoError `out` for a folder that
 *   is not there
 */
export async function checkTable(path: string, inputs: readonly string[]): Promise<void> {
  const refuse = (what: string): never => {
    throw new ConfigError(what, { out: path }, 'usage');
  };
  if (!['csv', 'jsonl'].includes(endingOf(path))) {
    refuse(`--out writes .csv or .jsonl, got ${path}.`);
  }
  if (inputs.some((input) => resolve(input) === resolve(path))) {
    refuse(`--out ${path} is what is asked about. Choose another file.`);
  }
  const folder = await stat(dirname(resolve(path))).catch(() => null);
  if (folder?.isDirectory()) return;
  throw new IoError('out', `There is no folder ${dirname(path)} to write ${path} into.`, { path });
}

/** All of several classes; of one the likeliest. */
function rowOf(prediction: Prediction, several: boolean): TableRow {
  const { file, text, text2, answers, score, entities, output, embedding } = prediction;
  const place = { place: file, ...(text === undefined ? {} : { text }) };
  const known = { ...place, ...(text2 === undefined ? {} : { text2 }) };
  if (!answers) return { ...known, answer: output ?? score ?? entities ?? embedding ?? null };
  if (!several) {
    const [best] = answers;
    return { ...known, answer: best?.label ?? null, probability: best?.probability ?? 0 };
  }
  const answer = answers.map((a) => a.label);
  return { ...known, answer, probability: answers.map((a) => a.probability) };
}

/** A value in a cell: what is in it parted by bars, as data with several labels has it. */
function cell(value: unknown): string {
  if (value === undefined || value === null) return '';
  const isList = Array.isArray(value) && value.every((v) => typeof v !== 'object');
  const text = isList
    ? value.join('|')
    : typeof value === 'object'
      ? JSON.stringify(value)
      : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Writes the table, whole or not at all: `.csv` with quotes where needed, or `.jsonl`. */
export async function writeTable(path: string, list: PredictionList): Promise<void> {
  const { predictions, several = false } = list;
  const rows = predictions.map((prediction) => rowOf(prediction, several));
  const used = COLUMNS.filter((name) => rows.some((row) => row[name] !== undefined));
  const lines =
    endingOf(path) === 'csv'
      ? [used.join(','), ...rows.map((row) => used.map((name) => cell(row[name])).join(','))]
      : rows.map((row) => JSON.stringify(row));
  await writeWhole(path, [new TextEncoder().encode(lines.map((line) => `${line}\n`).join(''))]);
}
