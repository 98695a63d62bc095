import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, test } from 'vitest';
import { hostGlobals, layerFaults } from './support/layers.js';

const src = fileURLToPath(new URL('../src', import.meta.url));
const made: string[] = [];

/** A small `src` with the given files. */
function tree(files: Record<string, string>): string {
  const root = mkdtempSync(join(tmpdir(), 'layers-'));
  made.push(root);
  for (const [name, text] of Object.entries(files)) {
    const path = join(root, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }
  return root;
}

afterEach(() => {
  for (const root of made.splice(0)) rmSync(root, { recursive: true });
});

describe('the sources', () => {
  test('keep the order of folders and have no cycles', () => {
    expect(layerFaults(src)).toEqual([]);
  });

  test('name nothing of Node or the DOM in the neutral folders', () => {
    expect(hostGlobals(src)).toEqual([]);
  });
});

describe('a planted fault is found:', () => {
  test('a folder that imports one above it', () => {
    const root = tree({
      'graph/index.ts': "export * from './a.js';",
      'graph/a.ts': "import type { B } from '../ops/index.js';\nexport type A = B;",
      'ops/index.ts': 'export type B = 1;',
    });
    expect(layerFaults(root)).toEqual([
      'graph/a.ts: imports ../ops/index.js, but graph lies below ops',
    ]);
  });

  test('a folder entered past its index', () => {
    const root = tree({
      'graph/node.ts': 'export const a = 1;',
      'ops/b.ts': "export { a } from '../graph/node.js';",
      'ops/c.ts': "export const c = () => import('../graph/node.js');",
    });
    expect(layerFaults(root)).toEqual([
      'ops/b.ts: imports ../graph/node.js; another folder only through its index.ts (or index.node.ts)',
      'ops/c.ts: imports ../graph/node.js; another folder only through its index.ts (or index.node.ts)',
    ]);
  });

  test('a cycle between files, but not one of types alone', () => {
    const root = tree({
      'ops/a.ts': "import { b } from './b.js';\nexport const a = () => b;",
      'ops/b.ts': "import { c } from './c.js';\nexport const b = () => c;",
      'ops/c.ts': "import { a } from './a.js';\nexport const c = () => a;",
      'ops/d.ts': "import type { E } from './e.js';\nexport type D = E;",
      'ops/e.ts': "import type { D } from './d.js';\nexport type E = D | 1;",
    });
    expect(layerFaults(root)).toEqual(['cycle: ops/a.ts -> ops/b.ts -> ops/c.ts -> ops/a.ts']);
  });

  test('ONNX Runtime outside its adapters, Node in a neutral folder, a folder without a place', () => {
    const root = tree({
      'runtime/ort-node.ts': "import 'onnxruntime-node';",
      'runtime/session.ts': "import 'onnxruntime-common';",
      'engine/a.ts': "import { readFileSync } from 'node:fs';\nexport const a = readFileSync;",
      'attic/a.ts': 'export const a = 1;',
      'io/index.node.ts': 'export const a = 1;',
      'models/a.ts': "import { a } from '../io/index.node.js';\nexport const b = a;",
    });
    expect(layerFaults(root)).toEqual([
      'attic/a.ts: folder attic is not in the list of layers',
      'engine/a.ts: imports node:fs, but engine must run in a browser too',
      'models/a.ts: imports ../io/index.node.js, but models must run in a browser too',
      'runtime/session.ts: imports onnxruntime-common; only runtime/ort-*.ts may',
    ]);
  });

  test('a global that one host lacks, but not a local of the same name', () => {
    const root = tree({
      'ops/a.ts': 'export const a = () => process.env;',
      'ops/b.ts': 'export const b = () => document.title;',
      'ops/c.ts':
        'export const c = (window: number) => window + new TextEncoder().encode("").length;',
      'io/d.ts': 'export const d = () => process.env;',
    });
    const faults = hostGlobals(root);
    expect(faults).toHaveLength(2);
    expect(faults[0]).toMatch(/^ops\/a\.ts: .*'process'/);
    expect(faults[1]).toMatch(/^ops\/b\.ts: .*'document'/);
  });
});
