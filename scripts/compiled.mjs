/**
 * The sources of a clone as JavaScript, so that the command line starts as quickly as the package does.
 * They are written to `.dev/` anew whenever a source file is another than the last time. Types are left
 * out, not checked: `npm run typecheck` does that.
 */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';
import process from 'node:process';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const source = join(root, 'src');
// One folder below the root, as `src` and `dist` are: the sources find `assets/` from where they lie.
const target = join(root, '.dev');
const stampFile = join(target, 'stamp');

/** Source files with what tells that one has changed. */
function scan() {
  const files = readdirSync(source, { recursive: true, encoding: 'utf8' })
    .filter((f) => f.endsWith('.ts') && !f.endsWith('.test.ts'))
    .sort();
  const stamp = files.map((f) => {
    const { mtimeMs, size } = statSync(join(source, f));
    return `${f} ${mtimeMs} ${size}`;
  });
  return { files, stamp: [process.version, ...stamp].join('\n') };
}

/** Written beside and renamed: another process may be reading, or doing the same. */
function replace(file, contents) {
  const beside = `${file}.${process.pid}`;
  writeFileSync(beside, contents);
  renameSync(beside, file);
}

async function compile(files) {
  const { build } = await import('esbuild');
  const { outputFiles } = await build({
    entryPoints: files.map((f) => join(source, f)),
    outdir: target,
    outbase: source,
    format: 'esm',
    target: 'node20',
    write: false,
    logLevel: 'error',
  });
  const wanted = new Set(['stamp']);
  for (const { path, contents } of outputFiles) {
    wanted.add(relative(target, path));
    mkdirSync(dirname(path), { recursive: true });
    replace(path, contents);
  }
  for (const old of readdirSync(target, { recursive: true, withFileTypes: true })) {
    const path = join(old.parentPath, old.name);
    if (old.isFile() && path.endsWith('.js') && !wanted.has(relative(target, path))) rmSync(path);
  }
}

/**
 * Address of a compiled source file, brought up to date first.
 * @param {string} name such as `cli/main.js`
 */
export async function compiled(name) {
  const { files, stamp } = scan();
  if (!existsSync(stampFile) || readFileSync(stampFile, 'utf8') !== stamp) {
    await compile(files);
    replace(stampFile, stamp);
  }
  return pathToFileURL(join(target, name)).href;
}
