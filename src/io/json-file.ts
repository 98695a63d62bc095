/** JSON files of checkpoints (Node): small, untrusted, and often edited by hand. */
import { ByteFile, fileFault } from './byte-file.js';

/** More is refused: the largest configurations (with every label) are a few megabytes. */
export const MAX_JSON_BYTES = 32 * 1024 * 1024;

const WORD = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;

/** The end of what `rule` matches at `at`; -1 when it does not. */
function matchEnd(rule: RegExp, text: string, at: number): number {
  rule.lastIndex = at;
  return rule.test(text) ? rule.lastIndex : -1;
}

/** The end of the string that opens at `at`; `fault` when it is none. */
function stringEnd(text: string, at: number): { end: number; fault?: number } {
  for (let i = at + 1; i < text.length; ) {
    if (text[i] === '"') return { end: i + 1 };
    const next = text[i] === '\\' ? matchEnd(ESCAPE, text, i) : i + 1;
    if (next < 0 || text[i]! < ' ') return { end: i, fault: i };
    i = next;
  }
  return { end: text.length, fault: text.length };
}

/**
 * Where `text` stops being JSON, as an index; its length when only the end is missing. JSON.parse
 * says so in some versions of Node and for some faults only.
 */
export function jsonFaultAt(text: string): number {
  const open: string[] = [];
  // What may come next; 'first' is a value or the end of an empty list.
  let state: 'value' | 'first' | 'key' | 'first-key' | 'colon' | 'after' = 'value';
  for (let at = 0; ; ) {
    while (at < text.length && ' \t\n\r'.includes(text[at]!)) at++;
    if (at === text.length) return at;
    const mark = text[at]!;
    const isString = mark === '"';
    if (state === 'value' || (state === 'first' && mark !== ']')) {
      if (mark === '{' || mark === '[') {
        open.push(mark);
        state = mark === '{' ? 'first-key' : 'first';
        at++;
        continue;
      }
      if (!isString) {
        const end = matchEnd(WORD, text, at);
        if (end < 0) return at;
        at = end;
      }
      state = 'after';
    } else if (state === 'key' || (state === 'first-key' && mark !== '}')) {
      if (!isString) return at;
      state = 'colon';
    } else if (state === 'colon') {
      if (mark !== ':') return at;
      state = 'value';
      at++;
    } else if (mark === '}' || mark === ']') {
      if (open.pop() !== (mark === '}' ? '{' : '[')) return at;
      state = 'after';
      at++;
    } else {
      if (mark !== ',' || open.length === 0) return at;
      state = open.at(-1) === '{' ? 'key' : 'value';
      at++;
    }
    if (isString) {
      const { end, fault } = stringEnd(text, at);
      if (fault !== undefined) return fault;
      at = end;
    }
  }
}

/**
 * Reads a JSON object.
 * @throws WeightsError when it is too large, no JSON (with line and column), or no object
 */
export async function readJsonObject(path: string): Promise<Record<string, unknown>> {
  const file = await ByteFile.open(path);
  let text: string;
  try {
    if (file.size > MAX_JSON_BYTES) {
      throw fileFault(
        path,
        `has ${file.size} bytes; a JSON file of a checkpoint has at most ${MAX_JSON_BYTES}.`,
        { size: file.size },
      );
    }
    text = new TextDecoder('utf-8', { fatal: true }).decode(await file.read(0, file.size));
  } catch (cause) {
    if (!(cause instanceof TypeError)) throw cause;
    throw fileFault(path, 'is not UTF-8 text.', { code: 'json', cause });
  } finally {
    await file.close();
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    const at = jsonFaultAt(text);
    const before = text.slice(0, at).split('\n');
    const line = before.length;
    const column = before.at(-1)!.length + 1;
    const found = at < text.length ? `at '${text.slice(at, at + 20)}'` : 'where the file ends';
    throw fileFault(path, `is not JSON: line ${line}, column ${column}, ${found}.`, {
      code: 'json',
      cause,
      line,
      column,
    });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw fileFault(path, 'holds JSON, but not an object { ... }.', { code: 'json' });
  }
  return value as Record<string, unknown>;
}
