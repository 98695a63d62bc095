import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { WeightsError } from '../errors.js';
import { jsonFaultAt, MAX_JSON_BYTES, readJsonObject } from './json-file.js';

const folder = mkdtempSync(join(tmpdir(), 'json-'));
afterAll(() => rmSync(folder, { recursive: true }));
const path = join(folder, 'config.json');
const read = (text: string | Uint8Array) => {
  writeFileSync(path, text);
  return readJsonObject(path);
};

test('an object comes back, with or without a byte order mark', async () => {
  expect(await read('{"a": [1, {"b": null}]}')).toEqual({ a: [1, { b: null }] });
  expect(await read('\ufeff{"a": 1}')).toEqual({ a: 1 });
});

describe('what is no JSON object', () => {
  test.each([
    ['{\n  "a": 1,\n  "b": tru\n}', 3, 8, "at 'tru"],
    ['{"a": 1,}', 1, 9, "at '}'"],
    ['{"a": 1', 1, 8, 'where the file ends'],
    ['', 1, 1, 'where the file ends'],
    ['{"a": "unfinished', 1, 18, 'where the file ends'],
    ["{'a': 1}", 1, 2, `at ''a': 1}'`],
    ['{"a": NaN}', 1, 7, "at 'NaN}'"],
    ['{"a" 1}', 1, 6, "at '1}'"],
    ['{"a": 1 "b"}', 1, 9, `at '"b"}'`],
    ['{"a": [1, 2}', 1, 12, "at '}'"],
    ['{} // note', 1, 4, "at '// note'"],
    ['{"a": "\\x"}', 1, 8, 'at'],
    ['{"a": 01}', 1, 8, "at '1}'"],
  ])('%j names line %i, column %i', async (text, line, column, where) => {
    const attempt = read(text);
    await expect(attempt).rejects.toThrow(WeightsError);
    await expect(attempt).rejects.toMatchObject({ code: 'json', data: { line, column } });
    await expect(attempt).rejects.toThrow(`line ${line}, column ${column}, ${where}`);
  });

  test.each(['[1]', '"text"', 'null', '3'])('%s is refused', async (text) => {
    await expect(read(text)).rejects.toThrow(/not an object/);
  });

  test('other bytes, too many of them, and a folder', async () => {
    await expect(read(Uint8Array.from([0x7b, 0xff, 0x7d]))).rejects.toThrow(/not UTF-8/);
    writeFileSync(path, '{');
    truncateSync(path, MAX_JSON_BYTES + 1);
    await expect(readJsonObject(path)).rejects.toThrow(/at most 33554432/);
    await expect(readJsonObject(folder)).rejects.toThrow(/it is a folder/);
    await expect(readJsonObject(join(folder, 'none.json'))).rejects.toThrow(/no such file/);
  });
});

test('no fault is seen in what JSON.parse takes', () => {
  const parses = (text: string) => {
    try {
      JSON.parse(text);
      return true;
    } catch {
      return false;
    }
  };
  const noise = fc.constantFrom(...'{}[]",:0-.etn\\ \n');
  fc.assert(
    fc.property(fc.json(), fc.nat(), fc.option(noise), (json, at, char) => {
      const cut = at % (json.length + 1);
      const text = char === null ? json : json.slice(0, cut) + char + json.slice(cut + 1);
      if (parses(text)) expect(jsonFaultAt(text)).toBe(text.length);
    }),
    { numRuns: 3000 },
  );
});

test('what is cut off is faulty at its end, what goes on wrongly where it does', () => {
  const word = /^(?:[-+.\w]*|\\[\w"\\/]*)$/; // a number, name or escape that had begun
  fc.assert(
    fc.property(fc.json(), fc.nat(), (json, at) => {
      const text = `[${json}`; // never whole, wherever it is cut
      const cut = (at % json.length) + 1;
      const ended = jsonFaultAt(text.slice(0, cut));
      expect(text.slice(ended, cut)).toMatch(word);
      // No JSON goes on with a raw line feed in text, or with '#' elsewhere.
      const wrong = jsonFaultAt(`${text.slice(0, cut)}\n#`);
      expect(wrong === cut || wrong === cut + 1 || word.test(text.slice(wrong, cut))).toBe(true);
    }),
    { numRuns: 2000 },
  );
});
