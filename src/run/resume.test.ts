/** What a run may go on from, and what it refuses; the processes that die are in test/e2e. */
import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  cpSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { contentOf, resultOf } from '../../test/support/cli.js';
import { temporaryFolder, writePictures } from '../../test/support/pictures.js';
import { writeTinyBase } from '../../test/support/tiny-base.js';
import { fit as adapt, type FitOptions, type FitRun, type RunListener } from './index.node.js';

const { path: root, remove } = temporaryFolder();
afterAll(remove);
const at = (name: string) => join(root, name);
const data = at('data');

const choices = { epochs: 3, batch: 4, size: 32, accumulate: 2, ema: 0.9, seed: 5 } as const;
const begin = (name: string, more: Partial<FitOptions> = {}) =>
  adapt({ data, base: at('resnet'), ...choices, checkpointEvery: 1, out: at(name), ...more });
const goOn = (name: string, more: Partial<FitOptions> = {}) =>
  adapt({ resume: true, out: at(name), ...more });

/** A run that is interrupted after so many steps: 2 of the head, then 4 of everything. */
async function stopAfter(step: number, name: string, more: Partial<FitOptions> = {}) {
  const stop = new AbortController();
  const listener: RunListener = (e) => e.type === 'step' && e.step === step && stop.abort();
  const run = await begin(name, { ...more, listener, signal: stop.signal });
  expect(run.interrupted).toBe(true);
}

/** A copy of the run that was interrupted after step 4. */
function broken(name: string): string {
  cpSync(at('broken'), at(name), { recursive: true });
  return at(name);
}

/** Refused, and not a byte of the run is another one. */
async function refused(name: string, expected: object, more: Partial<FitOptions> = {}) {
  const before = contentOf(at(name));
  await expect(goOn(name, more)).rejects.toMatchObject(expected);
  expect(contentOf(at(name))).toEqual(before);
}

let straight: FitRun;
beforeAll(async () => {
  const names = ['ant', 'bee'].flatMap((c) =>
    Array.from({ length: 10 }, (_, i) => `${c}/${i}.png`),
  );
  await writePictures(data, names);
  for (const type of ['mobilenet_v2', 'resnet']) await writeTinyBase(at(type), type);
  straight = await begin('straight');
  await stopAfter(4, 'broken');
});

describe('a run goes on', () => {
  test('to the bits of the straight run, and one that has ended gives its result again', async () => {
    broken('whole');
    const run = await goOn('whole');
    expect(run).toMatchObject({ interrupted: false, out: at('whole') });
    expect(resultOf(at('whole'))).toEqual(resultOf(at('straight')));
    const { seconds: _, out: __, ...summary } = run.summary;
    expect(straight.summary).toMatchObject(summary);

    const before = contentOf(at('whole'));
    expect((await goOn('whole')).summary).toEqual(run.summary);
    expect(contentOf(at('whole'))).toEqual(before);
  });

  test('from the checkpoint before when the newest is damaged, anew when all are', async () => {
    const [first, second] = readdirSync(join(broken('one-left'), 'checkpoints')) as [
      string,
      string,
    ];
    truncateSync(at(`one-left/checkpoints/${second}`), 5000);
    await goOn('one-left');
    expect(resultOf(at('one-left'))).toEqual(resultOf(at('straight')));

    broken('none-left');
    for (const name of [first, second]) truncateSync(at(`none-left/checkpoints/${name}`), 7);
    await goOn('none-left');
    expect(resultOf(at('none-left'))).toEqual(resultOf(at('straight')));
  });

  test('without what a killed process had begun to write', async () => {
    broken('littered');
    const part = '0f8fad5b-d9cb-469f-a165-70867728950e.tmp';
    for (const name of [
      'run.json',
      'checkpoints/000009.safetensors',
      'checkpoints/best.safetensors',
    ]) {
      writeFileSync(at(`littered/${name}.${part}`), 'half');
    }
    await goOn('littered');
    expect(Object.keys(contentOf(at('littered'))).filter((n) => n.endsWith('.tmp'))).toEqual([]);
  });

  test('on the same pictures, wherever they were copied from', async () => {
    broken('touched');
    utimesSync(join(data, 'ant/0.png'), new Date(1e12), new Date(1e12));
    await goOn('touched');
    expect(resultOf(at('touched'))).toEqual(resultOf(at('straight')));
  });

  test('with its control, interrupted before and within it', async () => {
    await begin('with-control', { control: true });
    await stopAfter(3, 'control-later', { control: true });
    const stop = new AbortController();
    let control = false;
    const again = await goOn('control-later', {
      signal: stop.signal,
      listener: (e) => {
        control ||= e.type === 'note' && e.text.startsWith('control');
        if (control && e.type === 'step' && e.step === 2) stop.abort();
      },
    });
    expect(again.interrupted).toBe(true);
    expect(resultOf(at('control-later'))).toEqual(resultOf(at('straight')));
    const ended = await goOn('control-later');
    expect(ended.summary.transferGain).toEqual(expect.any(Number));
    for (const name of ['metrics.jsonl', 'checkpoints/best.safetensors']) {
      const files = ['with-control', 'control-later'].map((run) => at(`${run}/control/${name}`));
      const [want, got] = files.map((file) => readFileSync(file)) as [Buffer, Buffer];
      expect(got.equals(want)).toBe(true);
    }
  });
});

describe('a run refuses to go on, and does nothing, with', () => {
  const foreign = { name: 'WeightsError', code: 'checkpoint' };

  test('checkpoints of another architecture: it lists what does not fit', async () => {
    await begin('other', { base: at('mobilenet_v2') });
    rmSync(join(broken('swapped'), 'checkpoints'), { recursive: true });
    cpSync(at('other/checkpoints'), at('swapped/checkpoints'), { recursive: true });
    const message =
      /^The checkpoint does not fit this run: the tensors of the newest checkpoint are not those of the network\.\n {2}missing: (.+, ){5}\.\.\. \(\d+\)\n {2}not of this network: .+\nIt was written by another run or model\. Put/;
    await refused('swapped', { ...foreign, message: expect.stringMatching(message) });
  });

  test('a checkpoint of other classes, of another optimizer, or without averages', async () => {
    const names = ['a', 'b', 'c'].flatMap((c) => [`${c}/0.png`, `${c}/1.png`, `${c}/2.png`]);
    await writePictures(at('three'), names);
    await stopAfter(2, 'classes', { data: at('three') });
    await stopAfter(4, 'sgd', { optimizer: 'sgd' });
    await stopAfter(4, 'plain', { ema: undefined });
    for (const [name, words] of [
      ['classes', /of another shape: .+ is float32\[3\] in place of float32\[2\]/],
      ['sgd', /Missing: optimizer:/],
      ['plain', /The averages of .+ are missing/],
    ] as const) {
      rmSync(join(broken(`from-${name}`), 'checkpoints'), { recursive: true });
      cpSync(at(`${name}/checkpoints`), at(`from-${name}/checkpoints`), { recursive: true });
      await refused(`from-${name}`, { ...foreign, message: expect.stringMatching(words) });
    }
  });

  test('a best model that is gone, or another one’s', async () => {
    rmSync(join(broken('no-best'), 'checkpoints/best.safetensors'));
    await refused('no-best', {
      ...foreign,
      message: expect.stringMatching(/best\.safetensors is not/),
    });
    copyFileSync(
      at('other/checkpoints/best.safetensors'),
      join(broken('bad-best'), 'checkpoints/best.safetensors'),
    );
    await refused('bad-best', {
      ...foreign,
      message: expect.stringMatching(/tensors of best\.safe/),
    });
  });

  test('data that has changed', async () => {
    broken('changed');
    renameSync(join(data, 'ant/3.png'), at('aside.png'));
    const message =
      /^The data is not what the run was begun with: 16 pictures .* then, 15 pictures/;
    await refused('changed', { code: 'data-changed', message: expect.stringMatching(message) });
    renameSync(at('aside.png'), join(data, 'ant/03.png'));
    await refused('changed', {
      message: expect.stringMatching(/2 classes, but other files\. Put/),
    });
    renameSync(join(data, 'ant/03.png'), join(data, 'ant/3.png'));
  });

  test('other choices; those of the run may be given again', async () => {
    broken('choices');
    await refused(
      'choices',
      { message: expect.stringMatching(/begun with epochs 3, now it is 4/) },
      { epochs: 4 },
    );
    await refused(
      'choices',
      { message: expect.stringMatching(/with no lr, now it is 0\.1/) },
      { lr: 0.1 },
    );
    expect((await goOn('choices', { ...choices, data })).interrupted).toBe(false);
  });
});

describe('two processes', () => {
  const lock = (name: string) => at(`${name}/run.lock`);
  const busy = (words: RegExp) => ({ code: 'run-busy', message: expect.stringMatching(words) });

  test('never write one run: the second is refused by the number of the first', async () => {
    broken('busy');
    let second: Promise<unknown> | undefined;
    let seen = '';
    const first = await goOn('busy', {
      listener: (e) => {
        if (e.type !== 'step' || second) return;
        seen = readFileSync(lock('busy'), 'utf8');
        second = expect(goOn('busy')).rejects.toMatchObject(
          busy(new RegExp(`^Process ${process.pid} is writing this run\\.`)),
        );
      },
    });
    await second;
    expect(first.interrupted).toBe(false);
    expect(JSON.parse(seen)).toMatchObject({ pid: process.pid, host: hostname() });
    expect(readdirSync(at('busy'))).not.toContain('run.lock');

    // On another machine nobody can look whether it still runs.
    broken('far');
    writeFileSync(lock('far'), JSON.stringify({ pid: 7, host: 'far-away', started: '' }));
    await refused('far', busy(/^Process 7 on far-away .* if it is gone, remove .*run\.lock\.$/));
  });

  test('a lock of a process that is gone is no hindrance', async () => {
    const child = 'process.stdout.write(String(process.pid))';
    const dead = Number(execFileSync(process.execPath, ['-e', child], { encoding: 'utf8' }));
    const left = [JSON.stringify({ pid: dead, host: hostname(), started: '' }), '', '{"pid": "x"}'];
    // The number of a process is used again by others: here by this one.
    if (process.platform === 'linux') {
      left.push(JSON.stringify({ pid: process.pid, host: hostname(), started: '1' }));
    }
    for (const [i, text] of left.entries()) {
      broken(`stale-${i}`);
      writeFileSync(lock(`stale-${i}`), text);
      expect((await goOn(`stale-${i}`)).interrupted).toBe(false);
      expect(readdirSync(at(`stale-${i}`)).filter((n) => /lock|tmp/.test(n))).toEqual([]);
    }
  });
});
