import { spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  gitDigest,
  type HubServer,
  type SeenRequest,
  startHub,
} from '../../test/support/hub-server.js';
import type { HubError } from '../errors.js';
import { ATTEMPTS } from './hub-client.js';
import { downloadSnapshot, type HubProgress } from './hub-download.js';

let hub: HubServer;
let home: string;
let blobs: string;
const weights = randomBytes(200_000);
const digest = createHash('sha256').update(weights).digest('hex');
const HOST = createHash('sha256').update(hostname()).digest('hex').slice(0, 8);

beforeEach(async () => {
  hub = await startHub();
  hub.push('org/net', { model: { content: weights, lfs: true } });
  home = await mkdtemp(join(tmpdir(), 'hub-blob-'));
  blobs = join(home, 'hub/models--org--net/blobs');
});
afterEach(async () => {
  await hub.close();
  await rm(home, { recursive: true });
});

const get = (onProgress?: (p: HubProgress) => void) =>
  downloadSnapshot({
    repo: 'org/net',
    files: ['*'],
    delay: async () => {},
    env: { HF_HOME: home, HF_ENDPOINT: hub.url },
    onProgress,
  });

const failure = (promise: Promise<unknown>): Promise<HubError> =>
  promise.then(
    () => expect.fail('it succeeded'),
    (error) => error,
  );

/** The content is right, and nothing lies beside it. */
async function expectWhole(folder: string, beside: string[] = []): Promise<void> {
  expect(weights.equals(await readFile(join(folder, 'model')))).toBe(true);
  expect((await readdir(blobs)).sort()).toEqual([digest, ...beside].sort());
}

const ranges = () => hub.requests.filter((r) => r.host === 'storage').map((r) => r.range);
const atStorage = (fault: (r: SeenRequest, n: number) => ReturnType<HubServer['fault']>) => {
  let n = 0;
  hub.fault = (r) => (r.host === 'storage' ? fault(r, n++) : undefined);
};

/** A part as another process would have left it. */
async function leave(bytes: Uint8Array, { host = HOST, pid = 1, age = 0 }): Promise<string> {
  const name = `${digest}.graft-${host}-${pid}-0a1b2c3d.incomplete`;
  await mkdir(blobs, { recursive: true });
  await writeFile(join(blobs, name), bytes);
  const then = new Date(Date.now() - age);
  await utimes(join(blobs, name), then, then);
  return name;
}

/** A process that is no more. */
const deadPid = () => spawnSync(process.execPath, ['-e', '0']).pid;

describe('a connection that breaks', () => {
  test('is made again from there', async () => {
    atStorage((_, n) => (n < 8 ? { dropAfter: 20_000 } : undefined));
    const seen: number[] = [];
    await expectWhole(await get((p) => seen.push(p.bytes)));
    const from = ranges().map((r) => Number(/\d+/.exec(r ?? '0')![0]));
    expect(from).toHaveLength(9);
    expect(from.every((f, i) => i === 0 || f > from[i - 1]!)).toBe(true);
    expect(seen.every((b, i) => i === 0 || b >= seen[i - 1]!)).toBe(true);
  });

  test('and a server that ignores the range: from the beginning', async () => {
    atStorage((_, n) => (n === 0 ? { dropAfter: 50_000 } : { ignoreRange: true }));
    const seen: number[] = [];
    await expectWhole(await get((p) => seen.push(p.bytes)));
    expect(ranges()).toHaveLength(2);
    expect(seen.at(-1)).toBe(weights.length);
  });

  test.each([
    ['another range', { status: 206, headers: { 'content-range': 'bytes 7-8/9' }, body: 'xy' }],
    ['no range of it', { status: 206, body: 'xy' }],
    ['"not satisfiable"', { status: 416 }],
  ])('and a server that answers with %s: from the beginning', async (_, answer) => {
    atStorage((r, n) => (n === 0 ? { dropAfter: 50_000 } : r.range ? answer : undefined));
    await expectWhole(await get());
  });

  test('without any progress is given up, and continued by the next run', async () => {
    atStorage((_, n) => ({ dropAfter: n === 0 ? 50_000 : 0 }));
    const error = await failure(get());
    expect(error.code).toBe('hub-unreachable');
    expect(error.message).toMatch(/continued/);
    expect(ranges()).toHaveLength(ATTEMPTS);
    const [left] = await readdir(blobs);
    expect(left).toMatch(/\.incomplete$/);
    const size = (await readFile(join(blobs, left!))).length;
    expect(size).toBeGreaterThan(0);
    hub.fault = () => undefined;
    hub.requests.length = 0;
    await expectWhole(await get());
    expect(ranges()).toEqual([`bytes=${size}-`]);
  });

  test('that begins anew for ever is given up too', async () => {
    atStorage(() => ({ dropAfter: 50_000, ignoreRange: true }));
    expect((await failure(get())).code).toBe('hub-unreachable');
    expect(ranges().length).toBeLessThan(4 * ATTEMPTS);
  });
});

describe('bytes that are not those announced', () => {
  test.each([
    ['changed', Buffer.from(weights).fill(0, 5, 9)],
    ['too many', Buffer.concat([weights, Buffer.from('x')])],
  ])('%s', async (_, body) => {
    atStorage(() => ({ body }));
    const error = await failure(get());
    expect(error.code).toBe('hub-damaged');
    expect(await readdir(blobs)).toEqual([]);
  });

  test('too few', async () => {
    atStorage(() => ({ body: weights.subarray(0, 1000) }));
    expect((await failure(get())).code).toBe('hub-unreachable');
  });

  test('of a small file, which git names', async () => {
    hub.push('org/net', { small: 'right' });
    hub.fault = (r) => (r.url.includes('resolve-cache') ? { body: 'wrong' } : undefined);
    const error = await failure(get());
    expect(error.code).toBe('hub-damaged');
    expect(error.message).toContain(gitDigest(Buffer.from('right')));
  });
});

describe('a part in the cache', () => {
  test('of a dead process is continued', async () => {
    await leave(weights.subarray(0, 150_000), { pid: deadPid() });
    await expectWhole(await get());
    expect(ranges()).toEqual(['bytes=150000-']);
  });

  test('that is whole needs no request', async () => {
    await leave(weights, { pid: deadPid() });
    await expectWhole(await get());
    expect(ranges()).toEqual([]);
  });

  test('of a machine that is not this one is continued when it is old', async () => {
    const host = 'ffffffff';
    const name = await leave(weights.subarray(0, 150_000), { host });
    await expectWhole(await get(), [name]);
    expect(ranges()).toEqual([null]);
    await rm(join(home, 'hub'), { recursive: true });
    await leave(weights.subarray(0, 150_000), { host, age: 3_600_000 });
    await expectWhole(await get());
    expect(ranges()).toEqual([null, 'bytes=150000-']);
  });

  test('of a living process is left alone', async () => {
    const name = await leave(weights.subarray(0, 150_000), { pid: process.ppid });
    await expectWhole(await get(), [name]);
    expect(ranges()).toEqual([null]);
  });

  test.each([
    ['damaged', Buffer.from(weights.subarray(0, 150_000)).fill(0, 0, 9)],
    ['too long', Buffer.concat([weights, weights])],
    ['whole but damaged', Buffer.from(weights).fill(0, 0, 9)],
  ])('that is %s is thrown away', async (_, bytes) => {
    await leave(bytes, { pid: deadPid() });
    await expectWhole(await get());
    expect(ranges().at(-1)).toBe(null);
  });

  test('the longest of several is taken, the others are removed', async () => {
    await leave(weights.subarray(0, 1000), { pid: deadPid() });
    await leave(weights.subarray(0, 9000), { host: 'ffffffff', age: 3_600_000 });
    await expectWhole(await get());
    expect(ranges()).toEqual(['bytes=9000-']);
  });
});

describe('two downloads of one content at the same time', () => {
  test('write a file each, and both succeed', async () => {
    let arrived = 0;
    let release: () => void = () => {};
    const both = new Promise<void>((done) => {
      release = done;
    });
    atStorage(() => {
      if (++arrived === 2) release();
      return { wait: both };
    });
    const [a, b] = await Promise.all([get(), get()]);
    expect(arrived).toBe(2);
    expect(a).toBe(b);
    await expectWhole(a);
  });

  test('do not take each other for dead', async () => {
    let release: () => void = () => {};
    const second = new Promise<void>((done) => {
      release = done;
    });
    let other: Promise<string> | undefined;
    atStorage((r, n) => {
      if (n === 0) return { dropAfter: 50_000 };
      if (n === 1) {
        expect(r.range).toBe('bytes=50000-');
        other = get();
        return { wait: second };
      }
      release();
      return undefined;
    });
    const folder = await get();
    await other;
    await expectWhole(folder);
    expect(ranges()).toEqual([null, 'bytes=50000-', null]);
  });

  test('a part that somebody takes away is downloaded again', async () => {
    atStorage((_, n) =>
      n === 0
        ? {
            wait: readdir(blobs).then(async ([name]) => rm(join(blobs, name!))),
          }
        : undefined,
    );
    await expectWhole(await get());
    expect(ranges()).toEqual([null, null]);
  });
});
