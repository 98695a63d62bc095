/** The command line of a clone runs what is in front of you. */
import { cpSync, existsSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('../', import.meta.url));

test('sources are compiled anew when they change, and files that are gone leave nothing behind', async () => {
  const clone = mkdtempSync(join(tmpdir(), 'clone-'));
  try {
    cpSync(join(root, 'scripts/compiled.mjs'), join(clone, 'scripts/compiled.mjs'));
    symlinkSync(join(root, 'node_modules'), join(clone, 'node_modules'));
    const write = (name: string, text: string) => {
      cpSync(join(root, 'src/errors.ts'), join(clone, 'src/errors.ts'));
      writeFileSync(join(clone, 'src', name), text);
    };
    const { compiled } = await import(pathToFileURL(join(clone, 'scripts/compiled.mjs')).href);
    const loadValue = async (name: string, query: string) =>
      ((await import(`${await compiled(name)}?${query}`)) as { value: number }).value;

    write('a.ts', 'export const value: number = 1;');
    expect(await loadValue('a.js', '1')).toBe(1);
    write('a.ts', 'export const value: number = 22;');
    expect(await loadValue('a.js', '2')).toBe(22);
    rmSync(join(clone, 'src/a.ts'));
    write(
      'b.ts',
      "import { GraftError } from './errors.js';\nexport const value = GraftError.length;",
    );
    expect(await loadValue('b.js', '3')).toBe(2);
    expect(existsSync(join(clone, '.dev/a.js'))).toBe(false);
  } finally {
    rmSync(clone, { recursive: true });
  }
});
