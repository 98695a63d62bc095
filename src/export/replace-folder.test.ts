import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { replaceFolder } from './replace-folder.js';

let root: string;
let target: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'replace-'));
  target = join(root, 'deep', 'model');
});
afterEach(() => rmSync(root, { recursive: true }));

const options = (isOurs: boolean, force = false) => ({ isOurs: async () => isOurs, force });
const fill = (text: string) => (to: string) => writeFile(join(to, 'a'), text);
const content = () => readFileSync(join(target, 'a'), 'utf8');

/** A folder with one file of the export and perhaps one of somebody else's. */
function before(extra?: string): void {
  mkdirSync(target, { recursive: true });
  writeFileSync(join(target, 'a'), 'old');
  if (extra) {
    mkdirSync(join(target, 'notes'));
    writeFileSync(join(target, 'notes', extra), 'mine');
  }
}

test('a folder that is not there, or empty, is filled', async () => {
  expect(await replaceFolder(target, fill('new'), options(false))).toBe(target);
  expect(content()).toBe('new');
  rmSync(join(target, 'a'));
  await replaceFolder(target, fill('again'), options(false));
  expect(content()).toBe('again');
  expect(readdirSync(join(root, 'deep'))).toEqual(['model']);
});

test('a folder of ours is replaced, one of somebody else’s only by force', async () => {
  before();
  await expect(replaceFolder(target, fill('new'), options(false))).rejects.toMatchObject({
    code: 'exists',
    message: expect.stringContaining('not written by an export'),
  });
  expect(content()).toBe('old');
  await replaceFolder(target, fill('new'), options(true));
  expect(content()).toBe('new');
  await replaceFolder(target, fill('forced'), options(false, true));
  expect(content()).toBe('forced');
  expect(readdirSync(join(root, 'deep'))).toEqual(['model']);
});

test('files that somebody has put into a folder of ours are not lost unless forced', async () => {
  before('plan.md');
  await expect(replaceFolder(target, fill('new'), options(true))).rejects.toThrow(
    /holds notes.plan\.md, which the export does not write/,
  );
  expect(content()).toBe('old');
  await replaceFolder(target, fill('new'), options(true, true));
  expect(readdirSync(target)).toEqual(['a']);
});

test('when writing fails, what was there is still there and nothing else', async () => {
  before();
  const half = async (to: string) => {
    await writeFile(join(to, 'a'), 'half');
    throw new Error('the disk is full');
  };
  await expect(replaceFolder(target, half, options(true))).rejects.toThrow('the disk is full');
  expect(content()).toBe('old');
  expect(readdirSync(join(root, 'deep'))).toEqual(['model']);
});

test('a file is never taken for a folder', async () => {
  mkdirSync(join(root, 'deep'));
  writeFileSync(target, 'a file');
  await expect(replaceFolder(target, fill('new'), options(true, true))).rejects.toThrow(
    /is not a folder/,
  );
  expect(readFileSync(target, 'utf8')).toBe('a file');
});
