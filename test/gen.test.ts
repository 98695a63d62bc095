import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import * as autodiff from '../src/autodiff/index.js';
import { Op } from '../src/graph/index.js';
import * as ops from '../src/ops/index.js';

const root = fileURLToPath(new URL('..', import.meta.url));

test('generated files are up to date', () => {
  const { stderr, status } = spawnSync(process.execPath, ['scripts/gen.mjs', '--check'], {
    cwd: root,
    encoding: 'utf8',
  });
  expect(stderr).toBe('');
  expect(status).toBe(0);
});

test('docs/ops.md lists every operation and says rightly whether it has a gradient', () => {
  const rows = new Map<string, string>();
  for (const line of readFileSync(`${root}/docs/ops.md`, 'utf8').split('\n')) {
    const [, name, , gradient] = line.split(/(?<!\\)\|/).map((c) => c.trim());
    if (name?.startsWith('`')) rows.set(name.slice(1, -1), gradient!);
  }
  const defined = Object.entries({ ...ops, ...autodiff }).filter(([, v]) => v instanceof Op);
  expect(defined.length).toBeGreaterThan(60);
  for (const [exported, op] of defined as [string, Op][]) {
    const { grad } = op.spec;
    const want =
      typeof grad === 'function' ? /^yes$/ : grad.noGrad === 'zero' ? /^zero: / : /^none: /;
    expect(rows.get(exported.replace(/Op$/, '')), exported).toMatch(want);
  }
  expect(rows.size).toBe(defined.length);
});
