/** Tokens and their ids, both ways. */
import { countField, shown, tokenizerFault } from './fields.js';

/** Tokens by id and ids by token. */
export interface VocabularyTable {
  readonly ids: ReadonlyMap<string, number>;
  /** Sparse where ids have gaps. */
  readonly tokens: readonly (string | undefined)[];
}

/**
 * Reads `{ token: id }`.
 * @throws WeightsError for ids that are no numbers or given twice
 */
export function readVocabulary(value: unknown, field: string): VocabularyTable {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw tokenizerFault(field, `is ${shown(value)}; expected an object of tokens and ids.`);
  }
  const ids = new Map<string, number>();
  const tokens: (string | undefined)[] = [];
  for (const [token, given] of Object.entries(value)) {
    const id = countField(given, `${field}[${JSON.stringify(token)}]`);
    if (tokens[id] !== undefined) {
      throw tokenizerFault(
        field,
        `gives id ${id} to ${shown(tokens[id])} and to ${shown(token)}; every token needs its own.`,
      );
    }
    ids.set(token, id);
    tokens[id] = token;
  }
  if (ids.size === 0) throw tokenizerFault(field, 'is empty.');
  return { ids, tokens };
}
