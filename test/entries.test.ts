/** The two doors of the package: the same names, each with its own ONNX Runtime and no other. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build, type Metafile } from 'esbuild';
import { expect, test } from 'vitest';
import packageJson from '../package.json' with { type: 'json' };

const root = fileURLToPath(new URL('../', import.meta.url));

async function bundle(entry: string, platform: 'node' | 'browser'): Promise<Metafile> {
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: [entry],
    bundle: true,
    write: false,
    outdir: 'unused',
    format: 'esm',
    platform,
    packages: 'external',
    metafile: true,
    logLevel: 'error',
  });
  return metafile;
}

const externals = (metafile: Metafile) =>
  new Set(
    Object.values(metafile.inputs).flatMap((i) =>
      i.imports.filter((x) => x.external).map((x) => x.path),
    ),
  );
const names = (metafile: Metafile) => Object.values(metafile.outputs)[0]!.exports;

test('the browser entry reaches neither Node nor its ONNX Runtime', async () => {
  const web = await bundle('src/index.web.ts', 'browser');
  expect([...externals(web)].filter((p) => /^node:|onnxruntime-(?!web)/.test(p))).toEqual([]);
  expect(externals(web)).toContain('onnxruntime-web/wasm');
});

test('the Node entry does not reach the ONNX Runtime of the browser, and has all its names', async () => {
  const node = await bundle('src/index.ts', 'node');
  const web = await bundle('src/index.web.ts', 'browser');
  expect([...externals(node)].filter((p) => /onnxruntime-(?!node)/.test(p))).toEqual([]);
  expect(names(web).filter((name) => !names(node).includes(name))).toEqual([]);
  expect(names(web)).toEqual(expect.arrayContaining(['createRuntime', 'createEngine', 'Engine']));
});

test('package.json sends Node to one and everyone else to the other', () => {
  const door = packageJson.exports['.'];
  expect(door.node.default).toBe('./dist/index.js');
  expect(door.default.default).toBe('./dist/index.web.js');
  // Conditions are tried in order, so the general one must come last.
  expect(Object.keys(door)).toEqual(['node', 'default']);
});

test('every other path that package.json exports is the door of a folder', () => {
  const { '.': _, ...others } = packageJson.exports;
  for (const [path, { types, default: target }] of Object.entries(others)) {
    const [folder, node] = path.slice(2).split('/');
    const file = `${folder}/index${node ? '.node' : ''}`;
    expect([types, target]).toEqual([`./dist/${file}.d.ts`, `./dist/${file}.js`]);
    expect(existsSync(`${root}src/${file}.ts`), file).toBe(true);
  }
});

test('what browsers may import reaches nothing of Node', async () => {
  const neutral = Object.keys(packageJson.exports).filter((p) => /^\.\/\w+$/.test(p));
  for (const path of neutral) {
    const { length } = [
      ...externals(await bundle(`src/${path.slice(2)}/index.ts`, 'browser')),
    ].filter((p) => /^node:|onnxruntime-node|sharp/.test(p));
    expect(length, path).toBe(0);
  }
});
