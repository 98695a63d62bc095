import { existsSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { temporaryFolder } from '../../test/support/pictures.js';
import { makeFolder } from './make-folder.js';

const { path: root, remove } = temporaryFolder();
afterAll(remove);

test('makes what is missing, and finds what is there', async () => {
  const path = join(root, 'a', 'b', 'c');
  await Promise.all([makeFolder(path), makeFolder(path)]);
  await makeFolder(path);
  expect(statSync(path).isDirectory()).toBe(true);
});

test('says what the system says, at once', async () => {
  writeFileSync(join(root, 'file'), '');
  await expect(makeFolder(join(root, 'file'))).rejects.toMatchObject({ code: 'EEXIST' });
  await expect(makeFolder(join(root, 'file', 'x'))).rejects.toMatchObject({ code: 'ENOTDIR' });
});

// Node's own recursive mkdir never comes back from here.
test.skipIf(!existsSync('/proc/self'))('of a place that takes no folders', async () => {
  await expect(makeFolder('/proc/none/such')).rejects.toMatchObject({
    code: /ENOENT|EACCES|EPERM/,
  });
});
