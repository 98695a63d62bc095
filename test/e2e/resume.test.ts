/** A run stopped, saved, loaded in a new process and continued is the straight run, bit for bit. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { readSafetensors } from '../../src/io/safetensors-file.js';

const script = fileURLToPath(new URL('resume-run.ts', import.meta.url));
const run = promisify(execFile);

const train = (from: string, until: number, to: string) =>
  run(process.execPath, ['--import', 'tsx', script, from, String(until), to]);

test('200 steps with dropout equal 100 steps, saved, and 100 more in a new process', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'graft-resume-'));
  try {
    const [straight, half, resumed] = ['straight', 'half', 'resumed'].map((f) => join(dir, f)) as [
      string,
      string,
      string,
    ];
    await train('-', 200, straight);
    await train('-', 100, half);
    await train(half, 200, resumed);
    const want = await readFile(straight);
    expect((await readFile(resumed)).equals(want)).toBe(true);
    // The halfway state differs, and dropout and running statistics are part of what is compared.
    expect((await readFile(half)).equals(want)).toBe(false);
    const { tensors } = await readSafetensors(straight);
    expect([...tensors.keys()]).toContain('1.running_var');
    expect([...tensors.keys()]).toContain('optimizer:4.weight:second');
  } finally {
    await rm(dir, { recursive: true });
  }
});
