import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import process from 'node:process';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
const skipped = new Set(['node_modules', 'dist', '.git', '.cache', 'golden']);

function markdown(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return skipped.has(entry.name) ? [] : markdown(path);
    return entry.name.endsWith('.md') ? [path] : [];
  });
}

/** Code blocks in TypeScript. */
const blocks = (file: string) =>
  [...readFileSync(join(root, file), 'utf8').matchAll(/^```ts\n(.*?)^```/gms)].map((m) => m[1]!);

/** Runs an example as a user's program; what it prints comes back. */
function run(code: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'example-'));
  try {
    const file = join(folder, 'example.mts');
    const entry = pathToFileURL(join(root, 'src/index.ts')).href;
    expect(code, 'an example imports the package by its name').toContain("from 'graftml'");
    writeFileSync(file, code.replaceAll("'graftml'", `'${entry}'`));
    const { stdout, stderr, status } = spawnSync(process.execPath, ['--import', 'tsx', file], {
      cwd: root,
      encoding: 'utf8',
    });
    expect(status, stderr).toBe(0);
    return stdout;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe('examples in the documents run', () => {
  test('README.md: three lines from pictures to a model for others', () => {
    const [code, ...others] = blocks('README.md');
    expect(others).toEqual([]);
    const out = join(mkdtempSync(join(tmpdir(), 'readme-')), 'run');
    const data = join(root, 'assets/demo');
    const options = `data: '${data}', out: '${out}', size: 64, epochs: 1, `;
    expect(code).toContain("data: 'photos', ");
    try {
      expect(Number(run(code!.replace("data: 'photos', ", options)).trim())).toBeGreaterThan(0);
      expect(existsSync(join(out, 'shared/config.json'))).toBe(true);
    } finally {
      rmSync(dirname(out), { recursive: true });
    }
  });

  test('docs/engine.md: a network learns exclusive or', () => {
    const [code, ...others] = blocks('docs/engine.md');
    expect(others).toEqual([]);
    expect(code!.trim().split('\n').length).toBeLessThanOrEqual(20);
    const losses = run(code!).trim().split('\n').map(Number);
    expect(losses).toHaveLength(60);
    expect(losses.at(-1)!).toBeLessThan(0.05);
    expect(losses[0]!).toBeGreaterThan(0.5);
  });

  test('docs/architecture.md: first and second derivative of a cube', () => {
    const [code] = blocks('docs/architecture.md');
    const printed = run(code!);
    expect(printed).toContain('Float32Array(3) [ 3, 12, 27 ]');
    expect(printed).toContain('Float32Array(3) [ 6, 12, 18 ]');
    expect(printed).toMatch(/= input\(\)/);
  });
});

test('every link between documents leads to a file', () => {
  const broken: string[] = [];
  for (const file of markdown(root)) {
    for (const [, target] of readFileSync(file, 'utf8').matchAll(/\]\(([^)#\s]+)[^)]*\)/g)) {
      if (/^[a-z]+:/.test(target!)) continue;
      if (!existsSync(resolve(dirname(file), target!))) broken.push(`${file}: ${target}`);
    }
  }
  expect(broken).toEqual([]);
});

test('the tables of folders name files that are there', () => {
  const missing: string[] = [];
  for (const file of markdown(join(root, 'src'))) {
    for (const [, names] of readFileSync(file, 'utf8').matchAll(/^\| (`[^|]*`) +\|/gm)) {
      for (const [, name] of names!.matchAll(/`([\w/-]+(?:\.ts|\/))`/g)) {
        if (!existsSync(join(dirname(file), name!))) missing.push(`${file}: ${name}`);
      }
    }
  }
  expect(missing).toEqual([]);
});

test('every folder of src says what it is for', () => {
  const folders = readdirSync(join(root, 'src'), { withFileTypes: true }).filter((e) =>
    e.isDirectory(),
  );
  const silent = folders.filter((f) => !existsSync(join(root, 'src', f.name, 'README.md')));
  expect(silent.map((f) => f.name)).toEqual([]);
});
