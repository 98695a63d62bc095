/** Fields of a tokenizer's JSON files, which come from outside: checked, or an error that names them. */
import { WeightsError } from '../../errors.js';

/** A JSON object. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** The error of a tokenizer whose files are damaged or ask for what is not known here. */
export function tokenizerFault(field: string, message: string, found?: unknown): WeightsError {
  return new WeightsError(
    `${field} of the tokenizer ${message}`,
    { field, ...(found !== undefined && { found }) },
    { code: 'tokenizer' },
  );
}

/** What came, short enough for a message. */
export function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

/** @throws WeightsError when `value` is no object */
export function objectField(value: unknown, field: string): JsonObject {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return value as JsonObject;
  }
  throw tokenizerFault(field, `is ${shown(value)}; expected an object.`, value);
}

/** @throws WeightsError when `value` is no list */
export function listField(value: unknown, field: string): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw tokenizerFault(field, `is ${shown(value)}; expected a list.`, value);
}

/** @throws WeightsError when `value` is neither text nor, with a `fallback`, missing */
export function textField(value: unknown, field: string, fallback?: string): string {
  if (value === undefined && fallback !== undefined) return fallback;
  if (typeof value === 'string') return value;
  throw tokenizerFault(field, `is ${shown(value)}; expected a string.`, value);
}

/** @throws WeightsError when `value` is neither true nor false nor missing */
export function flagField(value: unknown, field: string, fallback: boolean): boolean {
  if (value === undefined || value === null) return fallback;
  if (typeof value === 'boolean') return value;
  throw tokenizerFault(field, `is ${shown(value)}; expected true or false.`, value);
}

/**
 * Ids and counts. Vocabularies of 2^24 entries do not exist; a hostile id above it would ask for
 * gigabytes of tables.
 */
export const MAX_VOCABULARY = 1 << 24;

/** @throws WeightsError when `value` is no whole number from 0 to 2^24 */
export function countField(value: unknown, field: string, fallback?: number): number {
  if (value === undefined && fallback !== undefined) return fallback;
  if (Number.isInteger(value) && (value as number) >= 0 && (value as number) < MAX_VOCABULARY) {
    return value as number;
  }
  throw tokenizerFault(
    field,
    `is ${shown(value)}; expected a whole number from 0 to ${MAX_VOCABULARY - 1}.`,
    value,
  );
}

/** The part of a pipeline that `type` names. @throws WeightsError listing the known ones */
export function byType<T>(
  config: JsonObject,
  field: string,
  known: Readonly<Record<string, (config: JsonObject, field: string) => T>>,
): T {
  const type = config.type;
  if (typeof type === 'string' && Object.hasOwn(known, type)) return known[type]!(config, field);
  throw tokenizerFault(
    `${field}.type`,
    `is ${shown(type)}, which is not known here; known are ${Object.keys(known).join(', ')}.`,
    type,
  );
}
