import {
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rm,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve, sep } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ConfigError, HubError } from '../errors.js';
import { cachedRepos, isRepo, RepoCache } from './hub-cache.js';

const COMMIT = 'c'.repeat(40);
const BLOB = 'd'.repeat(40);
let root: string;
let cache: RepoCache;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'hub-cache-'));
  cache = new RepoCache(root, 'org/net');
});
afterEach(() => rm(root, { recursive: true }));

test('names of repositories are those that the hub allows', () => {
  for (const good of ['org/net', 'a/b', 'timm/resnet18.a1_in1k', 'A-b_c/D.e']) {
    expect(isRepo(good)).toBe(true);
  }
  const bad = ['net', '', '/net', 'a/b/c', 'a--b/c', '../x', 'a/..', '.a/b', 'a/b.git', 'a/b c'];
  for (const name of [...bad, `a/${'b'.repeat(100)}`, 'a/b\n', 'org-/x']) {
    expect(isRepo(name)).toBe(false);
  }
});

test('a file of a snapshot lies in the snapshot, or is refused', () => {
  const part = fc.oneof(
    fc.constantFrom('..', '.', '', 'a', 'b c', '~', '-', 'C:', '..\\x', '\0', 'é'),
    fc.string(),
  );
  const path = fc.array(part, { minLength: 1, maxLength: 6 }).map((parts) => parts.join('/'));
  fc.assert(
    fc.property(path, (name) => {
      let place: string;
      try {
        place = cache.pointer(COMMIT, name);
      } catch (error) {
        expect((error as HubError).code).toBe('hub-answer');
        return;
      }
      expect(resolve(place).startsWith(cache.snapshot(COMMIT) + sep)).toBe(true);
    }),
  );
  for (const hostile of ['../x', '/etc/passwd', 'a/../../x', 'a//b', '..', 'a/\u0000']) {
    expect(() => cache.pointer(COMMIT, hostile)).toThrow(HubError);
  }
  expect(cache.pointer(COMMIT, 'a/..b')).toBe(join(cache.snapshot(COMMIT), 'a', '..b'));
});

describe('a ref', () => {
  test('keeps the commit of a branch, also one with slashes in its name', async () => {
    expect(await cache.commit('refs/pr/1')).toBe(null);
    await cache.writeRef('refs/pr/1', COMMIT);
    expect(await readFile(join(cache.folder, 'refs/refs/pr/1'), 'utf8')).toBe(COMMIT);
    expect(await cache.commit('refs/pr/1')).toBe(COMMIT);
    expect(await cache.commit(BLOB)).toBe(BLOB);
    expect(await readdir(join(cache.folder, 'refs/refs/pr'))).toEqual(['1']);
  });

  test('that holds no commit is none, and one outside the folder is refused', async () => {
    await mkdir(join(cache.folder, 'refs'), { recursive: true });
    await writeFile(join(cache.folder, 'refs/main'), '../../../../etc');
    expect(await cache.commit('main')).toBe(null);
    await expect(cache.commit('../../x')).rejects.toThrow(ConfigError);
  });
});

describe('the list of files', () => {
  test('comes back as it was', async () => {
    const files = [
      { path: 'b/model.bin', size: 5, oid: BLOB, sha256: 'e'.repeat(64), xetHash: 'f'.repeat(64) },
      { path: 'a', size: 0, oid: BLOB },
      { path: '__proto__', size: 1, oid: BLOB },
    ];
    await cache.writeTree(COMMIT, files);
    const byPath = (a: { path: string }, b: { path: string }) => (a.path < b.path ? -1 : 1);
    expect((await cache.tree(COMMIT))?.sort(byPath)).toEqual(files.sort(byPath));
  });

  test.each([
    'no JSON',
    '{}',
    '[]',
    'null',
    '{"format_version":2,"files":{}}',
    '{"format_version":1,"files":{"a":{"size":-1,"blob_id":"x"}}}',
    '{"format_version":1,"files":{"a":null}}',
  ])('is asked for again when it is %s', async (text) => {
    await mkdir(join(cache.folder, 'trees'), { recursive: true });
    await writeFile(join(cache.folder, 'trees', `${COMMIT}.json`), text);
    expect(await cache.tree(COMMIT)).toBe(null);
  });
});

describe('a blob in a snapshot', () => {
  beforeEach(async () => {
    await mkdir(cache.blobs, { recursive: true });
    await writeFile(join(cache.blobs, BLOB), 'content');
  });

  test('is a relative link, which replaces what was there', async () => {
    const place = cache.pointer(COMMIT, 'sub/file');
    await mkdir(cache.pointer(COMMIT, 'sub'), { recursive: true });
    await writeFile(place, 'old');
    await cache.link(COMMIT, 'sub/file', BLOB, false);
    expect(await readlink(place)).toBe(join('..', '..', '..', 'blobs', BLOB));
    expect(await readFile(place, 'utf8')).toBe('content');
    expect(await cache.has(COMMIT, 'sub/file', 7)).toBe(true);
    expect(await cache.has(COMMIT, 'sub/file', 8)).toBe(false);
    expect(await readdir(cache.pointer(COMMIT, 'sub'))).toEqual(['file']);
  });

  test('is a copy where links are not wanted', async () => {
    await cache.link(COMMIT, 'file', BLOB, true);
    expect((await lstat(cache.pointer(COMMIT, 'file'))).isSymbolicLink()).toBe(false);
    expect(await readFile(cache.pointer(COMMIT, 'file'), 'utf8')).toBe('content');
  });

  test('that is gone is no file of the snapshot', async () => {
    await cache.link(COMMIT, 'sub/file', BLOB, false);
    await cache.link(COMMIT, 'gone', BLOB.replace('d', 'e'), false);
    expect(await cache.files(COMMIT)).toEqual(['sub/file']);
    expect(await cache.has(COMMIT, 'gone', 7)).toBe(false);
    expect(await cache.files(BLOB)).toEqual([]);
  });
});

test('repositories of the cache are known by their folders', async () => {
  for (const name of [
    'models--org--net',
    'models--a--b-c',
    'datasets--x--y',
    '.locks',
    'models--z',
  ]) {
    await mkdir(join(root, name));
  }
  expect(await cachedRepos(root)).toEqual(['a/b-c', 'org/net']);
  expect(await cachedRepos(join(root, 'none'))).toEqual([]);
});
