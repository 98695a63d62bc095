/** How a command ends: exit codes, the last line of `--json`, and errors for people. */
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

const RESOURCE_CODES = new Set(['disk-full', 'out-of-memory', 'ENOSPC', 'EDQUOT', 'ENOMEM']);
const USAGE_CODES = new Set(['device-unknown', 'device-missing', 'provider-missing']);
const DATA_NAMES = new Set(['DataError', 'WeightsError', 'ShapeError', 'DTypeError', 'IoError']);

/** 2 wrong usage, 3 bad data or weights, 4 out of memory or disk, 130 interrupted, 1 a fault of ours. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof Interrupted) return EXIT.interrupted;
  const code = (error as { code?: string } | null)?.code ?? '';
  if (RESOURCE_CODES.has(code) || /bad_alloc|out of memory/i.test(String(error))) {
    return EXIT.resources;
  }
  if (!(error instanceof GraftError)) return EXIT.fault;
  if (error.name === 'ConfigError' || USAGE_CODES.has(code)) return EXIT.usage;
  if (DATA_NAMES.has(error.name) || code === 'non-finite') return EXIT.data;
  return EXIT.fault;
}

/** Reports an error and returns its exit code. */
export function fail(error: unknown, json: boolean): number {
  const exit = exitCodeOf(error);
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof Interrupted) {
    console.error(message);
  } else if (exit === EXIT.fault) {
    console.error(error);
    console.error('This is a fault of graft itself; please report it with the lines above.');
  } else {
    console.error(`error: ${message}`);
  }
  if (json) {
    const code = error instanceof GraftError ? error.code : 'fault';
    printJson({ error: { code: error instanceof Interrupted ? 'interrupted' : code, message } });
  }
  return exit;
}

/** The one JSON object that a command ends with; nothing else goes to stdout with `--json`. */
export function printJson(value: unknown): void {
  // NaN (a metric that has no meaning here) is no JSON; null says the same.
  process.stdout.write(`${JSON.stringify(value)}\n`);
}
