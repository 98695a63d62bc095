import { createHash, randomBytes } from 'node:crypto';
import { chmod, lstat, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type HubServer, startHub } from '../../test/support/hub-server.js';
import { ConfigError, type HubError } from '../errors.js';
import { downloadSnapshot, type HubProgress, type SnapshotOptions } from './hub-download.js';

let hub: HubServer;
let home: string;
const weights = randomBytes(300_000);
const digest = createHash('sha256').update(weights).digest('hex');
const files = {
  'config.json': '{"model_type":"resnet"}',
  'sub/notes.txt': 'notes',
  'empty.txt': '',
  'model.safetensors': { content: weights, lfs: true },
  'same.safetensors': { content: weights, lfs: true },
};

beforeEach(async () => {
  hub = await startHub();
  home = await mkdtemp(join(tmpdir(), 'hub-download-'));
});
afterEach(async () => {
  await hub.close();
  await rm(home, { recursive: true });
});

function get(options: Partial<SnapshotOptions> = {}): Promise<string> {
  return downloadSnapshot({
    repo: 'org/net',
    files: ['*'],
    delay: async () => {},
    ...options,
    env: { HF_HOME: home, HF_ENDPOINT: hub.url, ...options.env },
  });
}

const failure = (promise: Promise<unknown>): Promise<HubError> =>
  promise.then(
    () => expect.fail('it succeeded'),
    (error) => error,
  );

const repoFolder = () => join(home, 'hub/models--org--net');
const requested = (part: string) => hub.requests.filter((r) => r.url.includes(part)).length;

test('a snapshot has the layout of huggingface_hub', async () => {
  const commit = hub.push('org/net', files);
  const folder = await get();
  expect(folder).toBe(join(repoFolder(), 'snapshots', commit));
  expect(await readFile(join(folder, 'config.json'), 'utf8')).toBe(files['config.json']);
  expect(await readFile(join(folder, 'sub/notes.txt'), 'utf8')).toBe('notes');
  expect(await readFile(join(folder, 'empty.txt'), 'utf8')).toBe('');
  expect(weights.equals(await readFile(join(folder, 'model.safetensors')))).toBe(true);
  expect(weights.equals(await readFile(join(folder, 'same.safetensors')))).toBe(true);
  expect((await lstat(join(folder, 'config.json'))).isSymbolicLink()).toBe(true);
  expect((await readdir(join(repoFolder(), 'blobs'))).sort()).toEqual(
    [
      digest, // once for two files
      'e69de29bb2d1d6434b8b29ae775ad8c2e48c5391', // git's name of nothing
      // printf notes | git hash-object --stdin, and so for the configuration
      '3041adec9105ce2abb98307afd1f4aeb2e97c504',
      '1abf9e19fd9119a3c55ca0ac64214c44a7e4094c',
    ].sort(),
  );
  expect(await readFile(join(repoFolder(), 'refs/main'), 'utf8')).toBe(commit);
});

test('only what is wanted is downloaded, and once', async () => {
  hub.push('org/net', files);
  await get({ files: ['*.json'] });
  expect(requested('/resolve/')).toBe(1);
  const folder = await get({ files: (paths) => paths.filter((p) => p.endsWith('.txt')) });
  expect(requested('/resolve/')).toBe(2); // nothing is asked for an empty file
  expect((await readdir(folder)).sort()).toEqual(['config.json', 'empty.txt', 'sub']);
  await get({ files: ['*.json', '*.txt'] });
  expect(requested('/resolve/')).toBe(2);
  expect(requested('/tree/')).toBe(1); // a commit never changes
  expect(requested('/revision/main')).toBe(3); // a branch does
});

test('a commit that is here needs no request at all', async () => {
  const revision = hub.push('org/net', files);
  await get();
  const before = hub.requests.length;
  expect(basename(await get({ revision }))).toBe(revision);
  expect(hub.requests.length).toBe(before);
});

test('a new commit shares the contents that stayed', async () => {
  const first = hub.push('org/net', files);
  await get();
  const second = hub.push('org/net', { ...files, 'config.json': '{}' });
  const before = hub.requests.length;
  const folder = await get();
  expect(basename(folder)).toBe(second);
  expect(weights.equals(await readFile(join(folder, 'model.safetensors')))).toBe(true);
  expect(hub.requests.slice(before).filter((r) => r.host === 'storage')).toEqual([]);
  expect((await readdir(join(repoFolder(), 'snapshots'))).sort()).toEqual([first, second].sort());
  expect(await readFile(join(repoFolder(), 'refs/main'), 'utf8')).toBe(second);
});

test('a branch that moves while files come does not mix two states', async () => {
  const first = hub.push('org/net', files);
  hub.fault = (r) => {
    if (r.url.includes('/tree/')) hub.push('org/net', { 'config.json': '{"new":1}' });
    return undefined;
  };
  const folder = await get();
  expect(basename(folder)).toBe(first);
  expect(await readFile(join(folder, 'config.json'), 'utf8')).toBe(files['config.json']);
});

test('copies stand where links are not wanted, and serve again', async () => {
  hub.push('org/net', files);
  const env = { HF_HUB_DISABLE_SYMLINKS: '1' };
  const folder = await get({ env });
  expect((await lstat(join(folder, 'model.safetensors'))).isSymbolicLink()).toBe(false);
  expect(weights.equals(await readFile(join(folder, 'model.safetensors')))).toBe(true);
  const before = requested('/resolve/');
  await get({ env });
  expect(requested('/resolve/')).toBe(before);
});

test('progress counts bytes of all files, and ends at the total', async () => {
  hub.push('org/net', files);
  await get({ files: ['config.json'] });
  const seen: HubProgress[] = [];
  await get({ onProgress: (p) => seen.push(p) });
  const total = 2 * weights.length + 23 + 5;
  expect(seen.every((p) => p.total === total && p.bytes >= 23 && p.bytes <= total)).toBe(true);
  expect(seen.every((p, i) => i === 0 || p.bytes >= seen[i - 1]!.bytes)).toBe(true);
  expect(seen.at(-1)!.bytes).toBe(total);
  const large = seen.filter((p) => p.file === 'model.safetensors');
  expect(large.at(-1)).toMatchObject({ fileBytes: weights.length, fileSize: weights.length });
  expect(new Set(seen.map((p) => p.file))).toEqual(
    new Set(['model.safetensors', 'sub/notes.txt', 'empty.txt']),
  );
});

test('at most four files come at once', async () => {
  hub.push('org/net', Object.fromEntries('abcdefghij'.split('').map((n) => [n, `file ${n}`])));
  let now = 0;
  let most = 0;
  let release: () => void = () => {};
  const four = new Promise<void>((done) => {
    release = done;
  });
  const counted: typeof fetch = async (input, init) => {
    if (!String(input).includes('/resolve/')) return fetch(input, init);
    most = Math.max(most, ++now);
    if (now === 4) release();
    await four; // hangs unless four are under way together
    const response = await fetch(input, init);
    now--;
    return response;
  };
  await get({ fetch: counted });
  expect(most).toBe(4);
});

describe('refused before anything is asked:', () => {
  test.each(['net', 'org/net/x', '../../etc', 'org/..', 'org/net?x=1'])(
    'repository %s',
    async (repo) => {
      expect(await failure(get({ repo }))).toBeInstanceOf(ConfigError);
      expect(hub.requests).toEqual([]);
    },
  );

  test.each(['../x', '', '/main', 'a//b'])('revision %j', async (revision) => {
    expect(await failure(get({ revision }))).toBeInstanceOf(ConfigError);
    expect(hub.requests).toEqual([]);
  });
});

test('a name that leads out of the snapshot is refused before anything is written', async () => {
  hub.push('org/net', { ok: 'x', '../../../../evil': 'x' });
  const error = await failure(get());
  expect(error.code).toBe('hub-answer');
  expect(requested('/resolve/')).toBe(0);
  expect(await readdir(repoFolder())).toEqual(['trees']);
  await get({ files: ['ok'] }); // who does not ask for it is not hindered
});

test('patterns that nothing matches list what there is', async () => {
  hub.push('org/net', files);
  const error = await failure(get({ files: ['*.onnx', 'x.pt'] }));
  expect(error.code).toBe('hub-no-file');
  expect(error.message).toMatch(/'\*\.onnx', 'x\.pt'.*config\.json.*model\.safetensors/);
});

test('a failing file ends the others, and leaves the last state as it was', async () => {
  const first = hub.push('org/net', files);
  await get();
  hub.push('org/net', { ...files, 'new.txt': 'new', 'other.txt': 'other' });
  hub.fault = (r) => (r.url.includes('new.txt') ? { status: 403 } : undefined);
  expect((await failure(get())).code).toBe('hub-refused');
  expect(await readFile(join(repoFolder(), 'refs/main'), 'utf8')).toBe(first);
  const offline = await get({ env: { HF_HUB_OFFLINE: '1' } });
  expect(basename(offline)).toBe(first);
});

describe('offline', () => {
  const offline = { HF_HUB_OFFLINE: '1' };

  test('the snapshot of the last download is found without a request', async () => {
    const commit = hub.push('org/net', files);
    const folder = await get();
    const before = hub.requests.length;
    expect(await get({ env: offline })).toBe(folder);
    expect(await get({ env: offline, revision: commit })).toBe(folder);
    expect(hub.requests.length).toBe(before);
  });

  test('what is missing is named', async () => {
    hub.push('org/net', files);
    const nothing = await failure(get({ env: offline }));
    expect(nothing.code).toBe('hub-offline');
    expect(nothing.message).toMatch(/HF_HUB_OFFLINE.*org\/net is not in the cache/);
    await get({ files: ['config.json'] });
    const folder = await get({ env: offline, files: ['config.json'] });
    const some = await failure(get({ env: offline, files: ['config.json', '*.safetensors'] }));
    expect(some.code).toBe('hub-offline');
    expect(some.message).toMatch(/lacks .*model\.safetensors, same\.safetensors/);
    expect(some.data.missing).toEqual(['model.safetensors', 'same.safetensors']);
    expect((await failure(get({ env: offline, files: ['x.onnx'] }))).code).toBe('hub-no-file');
    const other = await failure(get({ env: offline, repo: 'org/nte' }));
    expect(other.message).toMatch(/nearest that is there: org\/net/);
    const branch = await failure(get({ env: offline, revision: 'v2' }));
    expect(branch.message).toMatch(/org\/net@v2 is not in the cache/);

    // A content that was cut later, by a full disk or a broken copy of the cache.
    await writeFile(join(folder, 'config.json'), '{');
    expect((await failure(get({ env: offline, files: ['config.json'] }))).data.missing).toEqual([
      'config.json',
    ]);
    await get({ files: ['config.json'] });
    expect(await get({ env: offline, files: ['config.json'] })).toBe(folder);
  });

  test('a cache of an older library, without a list of files, is used as it is', async () => {
    hub.push('org/net', files);
    const folder = await get({ files: ['config.json'] });
    await rm(join(repoFolder(), 'trees'), { recursive: true });
    expect(await get({ env: offline })).toBe(folder);
    expect((await failure(get({ env: offline, files: ['*.onnx'] }))).code).toBe('hub-no-file');
  });
});

describe('without a connection', () => {
  test('the cache serves if it has all, else both faults are told', async () => {
    hub.push('org/net', files);
    const folder = await get({ files: ['*.txt'] });
    await hub.close();
    expect(await get({ files: ['*.txt'] })).toBe(folder);
    const error = await failure(get());
    expect(error.code).toBe('hub-unreachable');
    expect(error.message).toMatch(/ECONNREFUSED.*lacks .*config\.json/);
    expect((await failure(get({ repo: 'org/other' }))).message).toMatch(/ECONNREFUSED/);
  });

  test('but a refusal is not covered up', async () => {
    hub.push('org/net', files);
    await get();
    hub.fault = () => ({ status: 403 });
    expect((await failure(get())).code).toBe('hub-refused');
  });
});

test('a cache that cannot be written to is said to be so', async () => {
  hub.push('org/net', files);
  await mkdir(join(home, 'hub'));
  await writeFile(repoFolder(), 'a file where a folder should be');
  const error = await failure(get());
  expect(error.code).toBe('hub-cache');
  expect(error.message).toMatch(/HF_HUB_CACHE/);
});

// Root may write everywhere.
test.skipIf(process.getuid?.() === 0)('a cache that may only be read serves', async () => {
  hub.push('org/net', files);
  const folder = await get();
  await rm(join(repoFolder(), 'trees'), { recursive: true });
  await chmod(repoFolder(), 0o500);
  try {
    expect(await get()).toBe(folder);
  } finally {
    await chmod(repoFolder(), 0o700);
  }
});
