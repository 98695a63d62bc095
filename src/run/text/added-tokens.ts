/** Tokens that a base does not know: its vocabulary grows before it is adapted. */
import { readFile } from 'node:fs/promises';
import { NEW_ROW } from '../../data/index.js';
import { ConfigError, DataError } from '../../errors.js';
import { type LoadedTextModel, resizeVocabulary } from '../../models/index.js';
import type { TextBase } from './base.js';

/** Tokens that are named in a note. */
const SHOWN = 5;

/**
 * The tokens of a file, one a line, spaces around them left out.
 * @throws ConfigError when there is no such file; DataError `no-data` when it holds none
 */
async function tokensIn(path: string): Promise<string[]> {
  const text = await readFile(path, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    throw new ConfigError(
      `addTokens: ${path} cannot be read (${cause.code}). Give a text file with one token a line.`,
      { path },
      'usage',
    );
  });
  const tokens = text
    .replace(/^\ufeff/, '')
    .split('\n')
    .map((line) => line.trim());
  const found = tokens.filter((token) => token !== '');
  if (found.length > 0) return found;
  throw new DataError(
    `addTokens: ${path} holds no token. Write one a line.`,
    { path },
    { code: 'no-data' },
  );
}

/** `a, b and 3 more`. */
function listed(tokens: readonly string[]): string {
  const rest = tokens.length - SHOWN;
  return `${tokens.slice(0, SHOWN).join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`;
}

/**
 * A base that knows the tokens of a file as well. Those that it knows already are told of and left out.
 * Bases may have more rows than tokens: those are taken first, and begin anew as other new rows do.
 */
export async function withAddedTokens(
  base: TextBase,
  path: string,
  say: (text: string) => void,
): Promise<TextBase> {
  const asked = await tokensIn(path);
  const unique = [...new Set(asked)];
  const known = unique.filter((token) => base.tokenizer.idOf(token) !== undefined);
  const fresh = unique.filter((token) => base.tokenizer.idOf(token) === undefined);
  if (unique.length < asked.length) {
    say(`${asked.length - unique.length} lines of ${path} are there twice, and count once`);
  }
  if (known.length > 0) {
    say(`${known.length} tokens of ${path} are known to the base already: ${listed(known)}`);
  }
  if (fresh.length === 0) return base;
  const tokenizer = base.tokenizer.withTokens(fresh);
  const rows = Math.max(base.config.vocabularySize, tokenizer.vocabularySize);
  const isNew = (id: number) =>
    id >= base.tokenizer.vocabularySize && id < tokenizer.vocabularySize;
  const rowOf = Int32Array.from({ length: rows }, (_, id) => (isNew(id) ? NEW_ROW : id));
  say(`${fresh.length} tokens are added to the base: ${listed(fresh)}`);
  return { ...base, tokenizer, config: { ...base.config, vocabularySize: rows }, rowOf };
}

/** A model as it was loaded, with the rows of the tokens that were added to its base. */
export function withAddedRows(
  loaded: LoadedTextModel,
  { rowOf }: Pick<TextBase, 'rowOf'>,
): LoadedTextModel {
  if (!rowOf) return loaded;
  const { definition, headName, config, weights } = loaded;
  return { ...loaded, ...resizeVocabulary(definition, headName, config, weights, rowOf) };
}
