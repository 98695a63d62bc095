/** How a command ends: exit codes, the last line of `--json`, and errors for people. */
import { CommanderError } from 'commander';
import { GraftError } from '../errors.js';

/** Ends a command that was interrupted after it saved its state. */
export class Interrupted extends Error {}

/** Exit codes of the contract: see `exitCodeOf`. */
export const EXIT = {
  done: 0,
  fault: 1,
  usage: 2,
  data: 3,
  resources: 4,
  interrupted: 130,
} as const;

const RESOURCE_CODES = new Set([
  'disk-full',
  'out-of-memory',
  'ENOSPC',
  'EDQUOT',
  'EFBIG',
  'ENOMEM',
  'EMFILE',
  'ENFILE',
]);
const USAGE_CODES = new Set(['device-unknown', 'device-missing', 'provider-missing', 'exists']);
/** Of a base whose tokenizer is missing or another's: bad weights, as its other files would be. */
const DATA_CODES = new Set(['tokenizer-missing', 'tokenizer-mismatch']);
const DATA_NAMES = new Set([
  'DataError',
  'WeightsError',
  'ShapeError',
  'DTypeError',
  'IoError',
  'HubError',
]);

const codeOf = (error: unknown): string => String((error as { code?: unknown } | null)?.code ?? '');

function isOutOfMemory(error: unknown): boolean {
  const code = codeOf(error);
  return (
    code === 'out-of-memory' ||
    code === 'ENOMEM' ||
    /bad_alloc|out of memory|Array buffer allocation failed/i.test(String(error))
  );
}

/** A refusal of the system that names the file it is about: `EACCES: permission denied, open 'x'`. */
function isFileFault(error: unknown): boolean {
  const { syscall, path } = (error ?? {}) as NodeJS.ErrnoException;
  return error instanceof Error && syscall !== undefined && path !== undefined;
}

/** 2 wrong usage, 3 bad data or weights, 4 out of memory or disk, 130 interrupted, 1 a fault of ours. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof Interrupted) return EXIT.interrupted;
  if (error instanceof CommanderError) return EXIT.usage;
  const code = codeOf(error);
  if (RESOURCE_CODES.has(code) || isOutOfMemory(error)) return EXIT.resources;
  if (isFileFault(error)) return EXIT.data;
  if (!(error instanceof GraftError)) return EXIT.fault;
  if (DATA_CODES.has(code)) return EXIT.data;
  if (error.name === 'ConfigError' || USAGE_CODES.has(code)) return EXIT.usage;
  if (DATA_NAMES.has(error.name) || code === 'non-finite') return EXIT.data;
  return EXIT.fault;
}

/** What `--json` calls an error: stable names for programs. */
function nameOf(error: unknown, exit: number): string {
  if (error instanceof Interrupted) return 'interrupted';
  if (error instanceof CommanderError) return 'usage';
  if (error instanceof GraftError) return error.code;
  if (exit === EXIT.fault) return 'fault';
  return isOutOfMemory(error) ? 'out-of-memory' : codeOf(error);
}

/** The option that an error is about, as it is typed: `weightDecay` is `--weight-decay`. */
function withOption(message: string, error: unknown): string {
  if (!(error instanceof GraftError) || error.name !== 'ConfigError') return message;
  // Messages begin with the name that the library has for it: `maxLength 1000 is more than ...`.
  const name = Object.keys(error.data).find(
    (key) => /^[ :]/.test(message.slice(key.length)) && message.startsWith(key),
  );
  if (name === undefined) return message;
  const option = name.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`);
  return `--${option}${message.slice(name.length)}`;
}

function messageOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof CommanderError) return message.replace(/^error: /, '');
  if (isOutOfMemory(error)) {
    return `${message}\nThe memory does not suffice. Take a smaller --batch (with --accumulate the steps stay as large) or a smaller --size.`;
  }
  return withOption(message, error);
}

/** Reports an error and returns its exit code. Only a fault of graft's own shows where it arose. */
export function fail(error: unknown, json: boolean): number {
  const exit = exitCodeOf(error);
  const message = messageOf(error);
  if (exit === EXIT.fault) {
    console.error(error);
    console.error('This is a fault of graft itself; please report it with the lines above.');
  } else if (error instanceof Interrupted) {
    console.error(message);
  } else if (!(error instanceof CommanderError)) {
    console.error(`error: ${message}`); // commander has written its own
  }
  if (json) printJson({ error: { code: nameOf(error, exit), message } });
  return exit;
}

/** The one JSON object that a command ends with; nothing else goes to stdout with `--json`. */
export function printJson(value: unknown): void {
  // NaN (a metric that has no meaning here) is no JSON; null says the same.
  process.stdout.write(`${JSON.stringify(value)}\n`);
}
