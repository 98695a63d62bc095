/** The table of results: its arithmetic, what it keeps, and that one control serves two bases only if it may. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import {
  type Cell,
  type CellKey,
  fingerprint,
  fitArguments,
  KeptCells,
} from '../../scripts/results/cells.js';
import { codeVersion } from '../../scripts/results/code-version.js';
import { startHash } from '../../scripts/results/start-hash.js';
import { SETS, type VisionSet } from '../../scripts/results/vision-sets.js';
import { anchorRow, markdown, rowsOf } from '../../scripts/results/vision-table.js';
import { loadBase } from '../../src/run/index.node.js';
import { testEngine } from '../support/engine.js';

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});
function empty(): string {
  const folder = mkdtempSync(join(tmpdir(), 'results-'));
  folders.push(folder);
  return folder;
}

const set: VisionSet = { ...SETS[0]!, name: 'birds', metrics: ['accuracy', 'auroc'] };
const cells = (accuracies: readonly number[], seconds: number): Cell[] =>
  accuracies.map((accuracy) => ({ accuracy, auroc: accuracy / 2, seconds, threads: 2 }));

describe('the table', () => {
  const better = {
    set,
    base: 'B',
    transfer: cells([0.9, 0.92, 0.94], 10),
    scratch: cells([0.5, 0.6, 0.55], 30),
  };

  it('has a row a metric: means, gain, interval', () => {
    const [accuracy, auroc] = rowsOf(better);
    expect(accuracy).toMatchObject({ name: 'birds, B', goal: 0, unit: 'accuracy' });
    expect(accuracy!.ours).toBeCloseTo(0.92, 12);
    expect(accuracy!.peer).toBeCloseTo(0.55, 12);
    expect(accuracy!.ratio).toBeCloseTo(0.37, 12);
    const [low, high] = accuracy!.spread!;
    // Welch: error sqrt(0.0004 / 3 + 0.0025 / 3) = 0.0311, 2.624 degrees of freedom, t = 3.457 (SciPy).
    expect(low).toBeCloseTo(0.37 - 0.10747, 4);
    expect(high).toBeCloseTo(0.37 + 0.10747, 4);
    expect(accuracy!.note).toContain('helped');
    expect(accuracy!.note).toContain('10 s and 30 s');
    expect(auroc).toMatchObject({ name: 'birds, B, auroc', unit: 'auroc' });
    expect(auroc!.ratio).toBeCloseTo(0.185, 12);
  });

  it('says so where a base hurts, or where seeds alone could make the difference', () => {
    const worse = { ...better, transfer: better.scratch, scratch: better.transfer };
    const same = { ...better, scratch: cells([0.9, 0.93, 0.94], 30) };
    const text = markdown([worse, same], []);
    const lines = text.split('\n').filter((l) => l.startsWith('| birds | B | accuracy'));
    expect(lines[0]).toContain('| -0.370 (-0.477 to -0.263) | hurt | 30 / 10 |');
    expect(lines[1]).toContain('| within the noise of seeds | 10 / 30 |');
  });

  it('has no interval of one seed', () => {
    const one = { ...better, transfer: cells([0.9], 1), scratch: cells([0.5], 1) };
    expect(rowsOf(one)[0]).toMatchObject({ spread: null });
    expect(markdown([one], [])).toContain('| 0.900 | 0.500 | +0.400 | one seed only | 1 / 1 |');
  });

  it('holds ours to an anchor', () => {
    const anchor = {
      set: 'birds',
      base: 'B',
      name: 'probe',
      accuracy: 0.94,
      goal: 0.92,
      note: 'n',
    };
    const at = (accuracy: number) => anchorRow(anchor, cells([accuracy], 1));
    expect(at(0.93).ratio).toBeCloseTo(-0.01, 12);
    expect(markdown([], [at(0.93)])).toMatch(/ours 0.930, peer 0.940; n: met$/);
    expect(markdown([], [at(0.91)])).toMatch(/: missed$/);
  });
});

describe('a kept run', () => {
  const key: CellKey = {
    choices: { method: 'scratch', seed: 1 },
    data: 'd',
    start: 's',
    code: 'c',
  };

  it('is found again by the same key alone', () => {
    const kept = new KeptCells(join(empty(), 'deep/er'));
    const [cell] = cells([0.7], 3);
    expect(kept.read(key)).toBeNull();
    kept.write(key, cell!);
    expect(kept.read(key)).toEqual(cell);
    for (const other of [
      { ...key, choices: { ...key.choices, seed: 2 } },
      { ...key, data: 'e' },
      { ...key, start: 't' },
      { ...key, code: 'd' },
    ]) {
      expect(kept.read(other)).toBeNull();
    }
  });

  it('depends on names and bytes of the data, not on its place', () => {
    const [a, b] = [empty(), empty()];
    for (const folder of [a, b]) writeFileSync(join(folder, 'one.png'), 'bytes');
    expect(fingerprint(a)).toBe(fingerprint(b));
    writeFileSync(join(b, 'one.png'), 'other');
    expect(fingerprint(a)).not.toBe(fingerprint(b));
    writeFileSync(join(b, 'one.png'), 'bytes');
    writeFileSync(join(b, 'two.png'), '');
    expect(fingerprint(a)).not.toBe(fingerprint(b));
  });

  it('depends on the code that it runs: one hash for the same sources, another for others', async () => {
    const entries = ['src/run/fit.ts', 'src/methods/inductive/scratch.ts'];
    const version = await codeVersion(entries);
    expect(await codeVersion(entries)).toBe(version);
    const other = ['src/run/fit.ts', 'src/methods/inductive/fine-tune.ts'];
    expect(await codeVersion(other)).not.toBe(version);
  });

  it('is asked of the command line', () => {
    expect(fitArguments('DATA', { method: 'scratch', seed: 1 })).toEqual([
      'DATA',
      '--method',
      'scratch',
      '--seed',
      '1',
    ]);
  });
});

const REAL = fileURLToPath(
  new URL('../../../shared/data/weights/mobilenet_v2_1.0_224', import.meta.url),
);
const there = existsSync(REAL);

describe('where a run starts', () => {
  const options = { classes: 2, size: 64, seed: 1, fresh: true };

  it('differs by seed, and by whether the base is taken', async () => {
    const base = await loadBase(await testEngine(), 'graft/mobilenet_v2');
    const hashes = [
      options,
      { ...options, seed: 2 },
      { ...options, fresh: false },
      { ...options, size: 96 },
      { ...options, classes: 3 },
    ].map((o) => startHash(base, o));
    expect(new Set(hashes).size).toBe(5);
    expect(startHash(base, options)).toBe(hashes[0]);
  });

  it.skipIf(!there)(
    `is the same control for both bases, bit for bit${there ? '' : ': ../shared/data is not there'}`,
    async () => {
      const engine = await testEngine();
      const [small, real] = [
        await loadBase(engine, 'graft/mobilenet_v2'),
        await loadBase(engine, REAL),
      ];
      expect(startHash(real, options)).toBe(startHash(small, options));
      const based = { ...options, fresh: false };
      expect(startHash(real, based)).not.toBe(startHash(small, based));
    },
  );
});
