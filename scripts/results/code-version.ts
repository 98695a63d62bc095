/** What stands for the code that a result depends on, so that a kept result is known to be current. */
import { readFileSync } from 'node:fs';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, type Plugin } from 'esbuild';
import { hashBytes } from '../../src/util/index.js';

const root = fileURLToPath(new URL('../../', import.meta.url));

/**
 * Left out of a bundle: the lists of all methods and models (those that a run uses are named as
 * entries, so that a new method makes no old result stale), what is written after a run, and where
 * a base comes from.
 */
const APART =
  /src\/(methods\/index|models\/registry(\.gen)?|run\/(report|summary)|train\/(report\/.*|tensorboard)|io\/hub-[\w-]+)\.ts$/;

const apart: Plugin = {
  name: 'apart',
  setup({ onResolve, resolve }) {
    onResolve({ filter: /^\.\.?\// }, async ({ pluginData, path, ...where }) => {
      if (pluginData === 'seen' || where.kind === 'entry-point') return undefined;
      const found = await resolve(path, { ...where, pluginData: 'seen' });
      const source = relative(root, found.path).replaceAll('\\', '/');
      return APART.test(source) ? { path: source, external: true } : found;
    });
  },
};

/**
 * Hash of what is left of sources, and all that they import, once comments and unused functions are gone,
 * with the versions of the packages beside it.
 * @param entries files, relative to the project
 */
export async function codeVersion(entries: readonly string[]): Promise<string> {
  const { outputFiles } = await build({
    absWorkingDir: root,
    entryPoints: entries.map((path) => ({ in: path, out: path })),
    outdir: 'unwritten',
    write: false,
    bundle: true,
    splitting: false,
    minify: true,
    treeShaking: true,
    format: 'esm',
    platform: 'node',
    packages: 'external',
    logLevel: 'silent',
    plugins: [apart],
  });
  const { dependencies } = JSON.parse(readFileSync(`${root}package.json`, 'utf8'));
  const parts = [...outputFiles.map((f) => f.text).sort(), JSON.stringify(dependencies)];
  return hashBytes(new TextEncoder().encode(parts.join('\n')));
}
