/**
 * metrics.jsonl: what a run measured, one JSON object a line, only ever appended. Lines hold nothing
 * of the clock, so that a resumed run writes the file of a straight one, byte for byte.
 */
import {
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readFileSync,
  statSync,
  writeSync,
} from 'node:fs';
import { ConfigError } from '../errors.js';

/** One measurement. */
export interface LogRecord {
  /** Optimizer updates made so far. */
  readonly step: number;
  /** Epochs seen so far, with their fraction: 1.5 is halfway through the second. */
  readonly epoch: number;
  /** Part of the method that was running, such as `head` or `all`. */
  readonly phase: string;
  /** What was measured on: `train`, `valid`, `test`. */
  readonly split: string;
  /** By the names of results: `loss`, `accuracy`, `lr`. A diverged loss may be NaN or infinite. */
  readonly values: Readonly<Record<string, number>>;
}

/** Longest file that is read: some millions of lines, far below what a string can hold. */
const MAX_BYTES = 256 * 1024 * 1024;
/** JSON has no words for these. */
const NOT_FINITE: readonly unknown[] = ['NaN', 'Infinity', '-Infinity'];

function toLine({ step, epoch, phase, split, values }: LogRecord): string {
  const numbers = Object.entries(values).map(([name, v]) => [
    name,
    Number.isFinite(v) ? v : String(v),
  ]);
  return JSON.stringify({ step, epoch, phase, split, values: Object.fromEntries(numbers) });
}

/** The record of a line, or undefined when the line is none. */
function fromLine(line: string): LogRecord | undefined {
  let parsed: Partial<LogRecord> | null;
  try {
    parsed = JSON.parse(line);
  } catch {
    return undefined;
  }
  const { step, epoch, phase, split, values } = parsed ?? {};
  if (!Number.isSafeInteger(step) || (step as number) < 0 || !Number.isFinite(epoch)) return;
  if (typeof phase !== 'string' || typeof split !== 'string') return;
  if (typeof values !== 'object' || values === null || Array.isArray(values)) return;
  const numbers: [string, number][] = [];
  for (const [name, v] of Object.entries(values as Record<string, unknown>)) {
    if (typeof v !== 'number' && !NOT_FINITE.includes(v)) return;
    numbers.push([name, Number(v)]);
  }
  return {
    step: step as number,
    epoch: epoch as number,
    phase,
    split,
    values: Object.fromEntries(numbers),
  };
}

interface Line {
  readonly text: string;
  readonly record: LogRecord;
  /** Where it begins and where the next one does, bytes. */
  readonly start: number;
  readonly end: number;
}

/**
 * The lines of a log. The last one may be torn (the process died while it was written, or the machine
 * did): then it is left out. Any other damage is an error.
 */
function linesOf(path: string): Line[] {
  const { size } = statSync(path);
  if (size > MAX_BYTES) {
    throw new ConfigError(
      `${path} has ${size} bytes; a metrics log of more than ${MAX_BYTES} is not read. Is it one?`,
      { path, size },
      'metrics-log',
    );
  }
  const bytes = readFileSync(path);
  const lines: Line[] = [];
  for (let start = 0; start < bytes.length; ) {
    const newline = bytes.indexOf(10, start);
    const end = newline < 0 ? bytes.length : newline + 1;
    const text = bytes.toString('utf8', start, newline < 0 ? end : newline);
    const record = fromLine(text);
    if (record) lines.push({ text, record, start, end });
    else if (end < bytes.length) {
      throw new ConfigError(
        `${path}: line ${lines.length + 1} is no metrics record, and not the last line. ` +
          'The file was damaged or edited; remove that line, or the file.',
        { path, line: lines.length + 1 },
        'metrics-log',
      );
    }
    start = end;
  }
  return lines;
}

/**
 * The records of a log in the order in which they were written; a torn last line is dropped.
 * @throws ConfigError when the file is damaged elsewhere, or far too large
 */
export function readMetricsLog(path: string): LogRecord[] {
  return linesOf(path).map((line) => line.record);
}

/** The open log of a run. Every line is handed to the system at once, so a killed process loses none. */
export class MetricsLog {
  readonly path: string;
  private readonly file: number;
  /** Bytes of whole lines; what a failed write leaves beyond is cut off. */
  private length: number;
  /**
   * Lines at the step resumed from that were kept. The run may measure there again, with the same
   * result; it is not written twice.
   */
  private readonly kept: Set<string>;

  private constructor(path: string, file: number, kept: readonly string[]) {
    this.path = path;
    this.file = file;
    this.length = fstatSync(file).size;
    this.kept = new Set(kept);
  }

  /**
   * Begins a log, or goes on with the one at `path`.
   * @param resumeStep the step whose checkpoint the run goes on from: lines after it are cut off.
   * Without it a log that exists is begun anew.
   */
  static open(path: string, resumeStep?: number): MetricsLog {
    if (resumeStep === undefined || !existsSync(path)) {
      return new MetricsLog(path, openSync(path, 'w'), []);
    }
    const lines = linesOf(path);
    const beyond = lines.findIndex((line) => line.record.step > resumeStep);
    const before = beyond < 0 ? lines : lines.slice(0, beyond);
    const file = openSync(path, 'r+');
    ftruncateSync(file, before.at(-1)?.end ?? 0);
    const at = before.filter((line) => line.record.step === resumeStep).map((line) => line.text);
    const log = new MetricsLog(path, file, at);
    // The last line may be whole and lack its end.
    const last = before.at(-1);
    if (last && last.end - last.start === Buffer.byteLength(last.text)) log.write('\n');
    return log;
  }

  /** Writes a record. */
  append(record: LogRecord): void {
    const line = toLine(record);
    if (!this.kept.has(line)) this.write(`${line}\n`);
  }

  private write(text: string): void {
    const bytes = Buffer.from(text);
    try {
      for (let done = 0; done < bytes.length; ) {
        done += writeSync(this.file, bytes, done, bytes.length - done, this.length + done);
      }
    } catch (error) {
      ftruncateSync(this.file, this.length);
      throw error;
    }
    this.length += bytes.length;
  }

  /** Waits until the disk has what was written, for the moment a checkpoint is saved. */
  flush(): void {
    fsyncSync(this.file);
  }

  /** Flushes and closes. */
  close(): void {
    this.flush();
    closeSync(this.file);
  }
}
