import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { sourceFiles } from './support/layers.js';
import { undocumented } from './support/tsdoc.js';

const src = fileURLToPath(new URL('../src', import.meta.url));

test('every exported symbol says what it is', () => {
  const files = sourceFiles(src).filter((f) => !f.endsWith('_pb.ts')); // generated from a schema
  expect(files.length).toBeGreaterThan(20);
  const missing = files.flatMap((f) =>
    undocumented(f).map((name) => `${relative(src, f)}: ${name}`),
  );
  expect(missing).toEqual([]);
});

test('an export without words is found', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tsdoc-'));
  const file = join(folder, 'a.ts');
  writeFileSync(
    file,
    `/** Said. */\nexport const a = 1;\nexport const b = 2;\n/** */\nexport function c() {}\n` +
      `// not for users\nexport interface D { x: number }\n/** Over. */\nexport function e(x: 1): 1;\n` +
      'export function e(x: number) { return x; }\nconst hidden = 1;\nexport type F = typeof hidden;\n',
  );
  expect(undocumented(file)).toEqual(['b', 'c', 'D', 'F']);
  rmSync(folder, { recursive: true });
});
