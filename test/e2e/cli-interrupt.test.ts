/**
 * Runs that are interrupted or killed, in real processes: nothing but steps is lost, and what comes out
 * in the end is what a straight run gives, bit for bit.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { contentOf, errorOf, graft, resultOf, startGraft } from '../support/cli.js';
import { temporaryFolder, writePictures } from '../support/pictures.js';
import { writeTinyBase } from '../support/tiny-base.js';

const { path: root, remove } = temporaryFolder();
afterAll(remove);
const at = (name: string) => join(root, name);
const [data, base] = [at('data'), at('base')];

/**
 * 20 pictures to train on: 5 batches an epoch, three of them a step and two of them the next. The run
 * takes so many epochs that it cannot be over before a test has looked.
 */
const EPOCHS = 30;
/** The step of a checkpoint by its number: one is written after each step, and one after each epoch. */
const stepOf = (number: number) => 2 * Math.floor(number / 3) + (number % 3);
const args = (name: string) => {
  const choices = ['--epochs', `${EPOCHS}`, '--batch', '4', '--size', '32', '--seed', '3'];
  const careful = ['--ema', '0.9', '--accumulate', '3', '--checkpoint-every', '1'];
  return ['fit', data, '--base', base, ...choices, ...careful, '--out', at(name)];
};
const resume = (name: string) => ['fit', '--resume', '--checkpoint-every', '1', '--out', at(name)];

const linesOf = (name: string) => {
  const path = at(`${name}/metrics.jsonl`);
  return existsSync(path) ? readFileSync(path, 'utf8').split('\n').length - 1 : 0;
};
const statusOf = (name: string) => JSON.parse(readFileSync(at(`${name}/run.json`), 'utf8')).status;

beforeAll(async () => {
  const files = ['ant', 'bee'].flatMap((c) =>
    Array.from({ length: 13 }, (_, i) => `${c}/${i}.png`),
  );
  await writePictures(data, files);
  await writeTinyBase(base);
  expect((await graft(args('straight'))).code).toBe(0);
});

describe('Ctrl-C', () => {
  test('saves, ends with 130 and says how to go on; then the bits are those of a straight run', async () => {
    const run = startGraft([...args('stopped'), '--json']);
    await run.until(() => linesOf('stopped') >= 6);
    run.child.kill('SIGINT');
    const outcome = await run.ended;
    expect([outcome.code, outcome.signal]).toEqual([130, null]);
    const message = `Interrupted; saved. Go on with: graft fit --resume --out ${at('stopped')}`;
    expect(errorOf(outcome)).toEqual({ code: 'interrupted', message });
    expect(outcome.stderr).toContain('ending after this step; once more ends at once\n');
    expect(statusOf('stopped')).toBe('interrupted');
    expect(linesOf('stopped')).toBeLessThan(linesOf('straight'));

    const evaluated = await graft(['evaluate', at('stopped'), data, '--json']);
    expect(evaluated.code).toBe(2);
    expect(errorOf(evaluated).message).toMatch(/has not ended \(interrupted\)\. Go on with it by/);

    const resumed = await graft([...resume('stopped'), '--json']);
    expect(resumed.code).toBe(0);
    expect(resumed.stderr).toMatch(/^resumed after step \d+$/m);
    expect(resumed.json()).toMatchObject({ epochs: EPOCHS, out: at('stopped') });
    expect(resultOf(at('stopped'))).toEqual(resultOf(at('straight')));
    expect(statusOf('stopped')).toBe('done');
  });

  // A pipe that nobody writes to is a picture that takes for ever to be read.
  const noPipes = process.platform === 'win32' ? 'there are no named pipes' : '';
  describe.skipIf(noPipes)(`while the data is read${noPipes && `: ${noPipes}`}`, () => {
    const [pipe, list] = [join(data, 'pipe.png'), join(data, 'list.csv')];
    beforeAll(() => {
      execFileSync('mkfifo', [pipe]);
      const rows = ['ant/0.png,ant', 'ant/1.png,ant', 'bee/0.png,bee', 'pipe.png,bee'];
      writeFileSync(list, ['file,label', ...rows].join('\n'));
    });
    const start = (name: string) =>
      startGraft(['fit', list, '--base', base, '--out', at(name), '--json']);

    test('ends with 130, and nothing was written', async () => {
      const run = start('unread');
      await run.until(() => run.stderr().includes('reading'));
      run.child.kill('SIGINT');
      await run.until(() => run.stderr().includes('once more ends at once'));
      writeFileSync(pipe, 'no picture');
      const outcome = await run.ended;
      expect(outcome.code).toBe(130);
      expect(errorOf(outcome).message).toBe(
        'Interrupted before training began; nothing was written.',
      );
      expect(existsSync(at('unread'))).toBe(false);
    });

    test('twice ends at once, whatever it waits for', async () => {
      const run = start('unread');
      await run.until(() => run.stderr().includes('reading'));
      run.child.kill('SIGINT');
      await run.until(() => run.stderr().includes('once more ends at once'));
      run.child.kill('SIGINT');
      // The system ends it: a shell calls that 130.
      expect(await run.ended).toMatchObject({ code: null, signal: 'SIGINT', stdout: '' });
    });
  });
});

describe('kill -9', () => {
  test('at several moments of one run loses at most the steps since the last checkpoint', async () => {
    const name = 'killed';
    const checkpoints = at(`${name}/checkpoints`);
    const files = () => (existsSync(checkpoints) ? readdirSync(checkpoints) : []);
    const newest = () => Math.max(0, ...files().map((file) => Number.parseInt(file, 10) || 0));
    const moments: (() => boolean)[] = [
      () => existsSync(at(`${name}/run.json`)), // before there is a checkpoint
      () => linesOf(name) >= 2, // the head has made its first steps
      () => files().some((file) => file.endsWith('.tmp')), // while one is written
      () => linesOf(name) >= 40, // everything moves
      () => linesOf(name) >= 60,
    ];
    const saved: number[] = [];
    for (const [i, moment] of moments.entries()) {
      const run = startGraft(i === 0 ? args(name) : resume(name));
      await run.until(moment);
      run.child.kill('SIGKILL');
      expect(await run.ended).toMatchObject({ code: null, signal: 'SIGKILL' });
      expect(statusOf(name)).toBe('running');
      saved.push(newest());
    }
    expect(saved).toEqual(saved.toSorted((a, b) => a - b));
    const { code, stderr } = await graft(resume(name));
    expect(code).toBe(0);
    const from = Number(/^resumed after step (\d+)$/m.exec(stderr)![1]);
    expect(from).toBe(stepOf(saved.at(-1)!));
    expect(resultOf(at(name))).toEqual(resultOf(at('straight')));
    // Nothing half-written and no lock is left.
    expect(Object.keys(contentOf(at(name))).filter((file) => /tmp$|lock$/.test(file))).toEqual([]);
  });
});

describe('a run of another process', () => {
  test('is not gone on with; nor is one with the checkpoints of another architecture', async () => {
    await writeTinyBase(at('other-base'), 'convnext');
    const other = args('other').map((arg) => (arg === base ? at('other-base') : arg));
    const runs = [startGraft(args('mine')), startGraft(other)];
    // Stopped where it stands, so that it is still there when the second one comes.
    const hold = async (run: (typeof runs)[0], name: string) => {
      await run.until(() => linesOf(name) >= 2);
      run.child.kill('SIGSTOP');
    };
    await Promise.all([hold(runs[0]!, 'mine'), hold(runs[1]!, 'other')]);
    const second = await graft([...resume('mine'), '--json']);
    for (const signal of ['SIGINT', 'SIGCONT'] as const) {
      for (const run of runs) run.child.kill(signal);
    }
    const ends = await Promise.all(runs.map((run) => run.ended));
    expect(ends.map((end) => end.code)).toEqual([130, 130]);
    expect(second.code).toBe(2);
    expect(errorOf(second)).toMatchObject({
      code: 'run-busy',
      message: expect.stringContaining(`Process ${runs[0]!.child.pid} is writing this run.`),
    });

    cpSync(at('other/checkpoints'), at('mine/checkpoints'), { recursive: true });
    const before = contentOf(at('mine'));
    const foreign = await graft([...resume('mine'), '--json']);
    expect(foreign.code).toBe(3);
    expect(errorOf(foreign).message).toMatch(
      /does not fit this run: .*\n {2}missing: .+\n {2}not of this network: .*\.\.\. \(\d+\)\n/,
    );
    expect(contentOf(at('mine'))).toEqual(before);
  });
});

describe('a full disk', () => {
  const disk = at('disk');
  const mounted = () =>
    spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', disk]).status === 0;
  const mount = (size: number) =>
    execFileSync('mount', ['-o', `remount,size=${size}`, 'tmpfs', disk]);

  test('ends with 4 and says what to do; with room again it goes on', async ({ skip }) => {
    mkdirSync(disk);
    if (!mounted()) skip('no file system of a chosen size can be mounted here');
    try {
      // Enough for the checkpoints of the head; those of everything hold the optimizer's state too.
      const { size } = statSync(at('straight/checkpoints/best.safetensors'));
      mount(Math.round(7.5 * size));
      const full = await graft([...args('disk/run'), '--json']);
      expect(full.code).toBe(4);
      expect(errorOf(full)).toMatchObject({
        code: 'disk-full',
        message: expect.stringMatching(
          /There is no room to save in .* Free some space, then go on/,
        ),
      });
      expect(full.stderr).not.toMatch(/^ {4}at /m);
      mount(64 * 2 ** 20);
      const resumed = await graft(resume('disk/run'));
      expect(resumed.stderr).toMatch(/^resumed after step \d+$/m);
      expect(resultOf(at('disk/run'))).toEqual(resultOf(at('straight')));
    } finally {
      execFileSync('umount', [disk]);
    }
  });
});
