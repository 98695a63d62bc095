/** How long `graft --help` takes, from the sources in a clone and from the built package. */
import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { median, type Row } from './harness.js';

/** Milliseconds that a person does not notice. */
const LIMIT_MS = 200;
const STARTS = 9;

const root = new URL('../', import.meta.url);
const BIN = new URL('bin/graft.mjs', root);
/** Inside the clone, so that the dependencies are found as from an installed package. */
const PACKAGE = new URL('.cache/bench-package/', root);
const BUILT_BIN = new URL('bin/graft.mjs', PACKAGE);

export const START_UP_ROWS = ['graft --help, package', 'graft --help, clone'] as const;

/** What `npm pack` would hold, as far as the command line needs it. */
function buildPackage(): void {
  rmSync(PACKAGE, { recursive: true, force: true });
  mkdirSync(new URL('bin/', PACKAGE), { recursive: true });
  const tsc = new URL('node_modules/typescript/bin/tsc', root);
  const config = new URL('tsconfig.build.json', root);
  const out = new URL('dist/', PACKAGE);
  execFileSync(
    process.execPath,
    [tsc, '-p', config, '--outDir', out].map((a) => (a instanceof URL ? fileURLToPath(a) : a)),
    { stdio: ['ignore', 'inherit', 'inherit'] },
  );
  copyFileSync(BIN, BUILT_BIN);
  copyFileSync(new URL('package.json', root), new URL('package.json', PACKAGE));
  if (!existsSync(new URL('cli/main.js', out))) throw new Error('The build has no cli/main.js.');
}

/** Milliseconds of each start, after one that fills the file cache. */
function starts(args: readonly string[]): number[] {
  const times: number[] = [];
  for (let i = 0; i <= STARTS; i++) {
    const start = performance.now();
    const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
    if (status !== 0) throw new Error(`node ${args.join(' ')} ended with ${status}: ${stderr}`);
    if (i > 0) times.push(performance.now() - start);
  }
  return times;
}

/** The rows that are wanted; the peer is the limit. */
export function startUpRows(wanted: (name: string) => boolean): Row[] {
  const names = START_UP_ROWS.filter(wanted);
  const empty = names.length > 0 ? median(starts(['-e', ''])) : 0;
  return names.map((name) => {
    if (name === START_UP_ROWS[0]) buildPackage();
    const bin = name === START_UP_ROWS[0] ? BUILT_BIN : BIN;
    const times = starts([fileURLToPath(bin), '--help']);
    const ours = median(times);
    return {
      name,
      ours,
      peer: LIMIT_MS,
      ratio: LIMIT_MS / ours,
      spread: [LIMIT_MS / Math.max(...times), LIMIT_MS / Math.min(...times)],
      goal: 1,
      unit: 'ms',
      note: `limit ${LIMIT_MS} ms; ${empty.toFixed(0)} ms of it are the start of Node`,
    };
  });
}
