/** Downloads in processes of their own: killed in the middle, and two at the same time. */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type HubServer, startHub } from '../../test/support/hub-server.js';

let hub: HubServer;
let home: string;
const children: ChildProcess[] = [];
const weights = randomBytes(400_000);

beforeEach(async () => {
  hub = await startHub();
  hub.push('org/net', { model: { content: weights, lfs: true } });
  home = await mkdtemp(join(tmpdir(), 'hub-process-'));
});
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  await hub.close();
  await rm(home, { recursive: true });
});

const program = `
import { downloadSnapshot } from ${JSON.stringify(new URL('./hub-download.ts', import.meta.url).href)};
const folder = await downloadSnapshot({
  repo: 'org/net',
  files: ['*'],
  onProgress: ({ bytes }) => console.log('bytes', bytes),
});
console.log('folder', folder);
`;

function start() {
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', program], {
    env: { PATH: process.env.PATH, HF_HOME: home, HF_ENDPOINT: hub.url },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  let output = '';
  child.stdout.on('data', (text) => {
    output += text;
  });
  return { child, stdout: child.stdout, exit: once(child, 'close').then(() => output) };
}

const blobs = () => readdir(join(home, 'hub/models--org--net/blobs'));

async function expectWhole(output: string): Promise<void> {
  const folder = /folder (.+)/.exec(output)![1]!;
  expect(weights.equals(await readFile(join(folder, 'model')))).toBe(true);
  expect(await blobs()).toHaveLength(1);
}

test('a download that was killed is continued', async () => {
  hub.fault = (r) => (r.host === 'storage' ? { stallAfter: 250_000 } : undefined);
  const killed = start();
  let told = '';
  for await (const text of killed.stdout) {
    told += text;
    if (/bytes 2\d{5}\n/.test(told)) break;
  }
  killed.child.kill('SIGKILL');
  await killed.exit;
  expect((await blobs())[0]).toMatch(/\.incomplete$/);

  hub.fault = () => undefined;
  hub.requests.length = 0;
  await expectWhole(await start().exit);
  const [request] = hub.requests.filter((r) => r.host === 'storage');
  expect(Number(/^bytes=(\d+)-$/.exec(request!.range!)![1])).toBeGreaterThanOrEqual(200_000);
});

test('two processes that download one content do not disturb each other', async () => {
  let release: () => void = () => {};
  const both = new Promise<void>((done) => {
    release = done;
  });
  let arrived = 0;
  hub.fault = (r) => {
    if (r.host !== 'storage') return undefined;
    if (++arrived === 2) release();
    return { wait: both };
  };
  for (const output of await Promise.all([start().exit, start().exit])) await expectWhole(output);
  expect(arrived).toBe(2);
});
