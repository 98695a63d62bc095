/**
 * The table of docs/results.md: fine-tuning two bases on four sets of pictures, against the same
 * network and budget from random weights, three seeds each.
 *
 *     npm run results:vision -- [--json] [--write] [--only NAME] [--data FOLDER] [--quick]
 *
 * A finished run is kept in .cache/results and used again as long as configuration, data and code are the same, so
 * that the table may be made in several goes. `--only` takes rows by a part of the data set's name;
 * `--quick` tries every kind of run in miniature and keeps nothing; at 32 pixels nothing is left of the
 * bases' features, so its numbers mean nothing.
 */
import { existsSync, mkdtempSync, readFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { writeTable } from '../../bench/harness.js';
import { openEngine } from '../../src/run/index.node.js';
import { type Cell, type CellKey, fingerprint, fitArguments, KeptCells, runCell } from './cells.js';
import { codeVersion } from './code-version.js';
import { LoadedBases, startHash } from './start-hash.js';
import { ANCHORS, BASES, SEEDS, SETS, type VisionBase, type VisionSet } from './vision-sets.js';
import { anchorRow, type Comparison, markdown, type ResultRow, rowsOf } from './vision-table.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const { values: options } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
    data: { type: 'string', default: join(root, '../shared/data') },
    quick: { type: 'boolean', default: false },
  },
});
if (options.quick && options.write) throw new Error('--quick makes no results to write.');
const data = resolve(options.data);
if (!existsSync(data)) throw new Error(`There is no folder ${data}; give the data by --data.`);
const folderOf = (set: VisionSet) => join(data, set.folder);

// In miniature runs are shared between bases as well, but not kept.
const kept = new KeptCells(
  options.quick ? mkdtempSync(join(tmpdir(), 'graft-quick-')) : join(root, '.cache/results/vision'),
);
const bases = new LoadedBases(await openEngine({}));
const fingerprints = new Map<string, string>();
const seeds = options.quick ? SEEDS.slice(0, 1) : SEEDS;
const shrink = (set: VisionSet): VisionSet =>
  options.quick ? { ...set, size: 32, epochs: set.scored === 'last' ? 2 : 1 } : set;

type Method = 'fine-tune' | 'scratch';

/** What a run is made of, and what it is kept under. */
async function planOf(set: VisionSet, base: VisionBase, method: Method, seed: number) {
  const folder = folderOf(set);
  const { size, epochs, classes } = set;
  const fresh = method === 'scratch';
  const loaded = await bases.get(base.path(data));
  const known = fingerprints.get(folder) ?? fingerprint(folder);
  fingerprints.set(folder, known);
  const choices = { method, epochs, size, seed };
  const key: CellKey = {
    choices: { ...choices, scored: set.scored },
    data: known,
    start: startHash(loaded, { classes, size, seed, fresh }),
    code: await codeVersion([
      'src/run/fit.ts',
      'src/methods/define-method.ts',
      `src/methods/inductive/${method}.ts`,
      `src/models/${loaded.definition.modelType}.ts`,
    ]),
  };
  return { key, args: fitArguments(folder, { base: base.path(data), ...choices }) };
}

/** A run's result; null when it is not kept and may not be run. */
async function cellOf(
  set: VisionSet,
  base: VisionBase,
  { method, seed, run }: { method: Method; seed: number; run: boolean },
): Promise<Cell | null> {
  const { key, args } = await planOf(set, base, method, seed);
  const before = kept.read(key);
  if (before || !run) return before;
  const cell = await runCell(args, set.scored);
  kept.write(key, cell);
  const what = method === 'scratch' ? 'from scratch' : base.name;
  console.error(
    `${set.name}, ${what}, seed ${seed}: accuracy ${cell.metrics.accuracy!.toFixed(3)}, ${cell.seconds.toFixed(0)} s`,
  );
  return cell;
}

/** All runs of a set with a base; null when some are missing. */
async function compare(set: VisionSet, base: VisionBase, run: boolean): Promise<Comparison | null> {
  const cells = async (method: Method): Promise<Cell[] | null> => {
    const found: Cell[] = [];
    for (const seed of seeds) {
      const cell = await cellOf(set, base, { method, seed, run });
      if (!cell) return null;
      found.push(cell);
    }
    return found;
  };
  const [transfer, scratch] = [await cells('fine-tune'), await cells('scratch')];
  return transfer && scratch && { set, base: base.name, transfer, scratch };
}

function anchorsOf(comparisons: readonly Comparison[]): ResultRow[] {
  return ANCHORS.flatMap((anchor) => {
    const found = comparisons.find((c) => c.set.name === anchor.set && c.base === anchor.base);
    return found ? [anchorRow(anchor, found.transfer)] : [];
  });
}

const asked = (set: VisionSet) => set.name.includes(options.only.toLowerCase());
if (!SETS.some(asked)) {
  throw new Error(`--only ${options.only}: there are ${SETS.map((s) => s.name).join(', ')}.`);
}
const run: Comparison[] = [];
const all: Comparison[] = [];
for (const set of SETS) {
  if (!existsSync(folderOf(set))) {
    if (asked(set))
      throw new Error(`There is no folder ${folderOf(set)}; give the data by --data.`);
    continue;
  }
  for (const base of BASES) {
    const comparison = await compare(shrink(set), base, asked(set));
    if (comparison) all.push(comparison);
    if (comparison && asked(set)) {
      run.push(comparison);
      for (const row of rowsOf(comparison)) console.error(`${row.name}: ${row.ratio.toFixed(3)}`);
    }
  }
}
if (options.write) {
  const threads = all[0]?.transfer[0]?.threads ?? 0;
  const missing = SETS.filter((set) => !all.some((c) => c.set.name === set.name));
  const head = [
    `graftml ${version()}, ${threads} threads of ${cpus()[0]?.model.trim() ?? 'a processor'}, ${new Date().toISOString().slice(0, 10)}, seeds ${SEEDS.join(', ')}.`,
    ...(missing.length ? [`Not measured yet: ${missing.map((s) => s.name).join(', ')}.`] : []),
    '',
  ];
  const file = new URL('../../docs/results.md', import.meta.url);
  writeTable(file, 'vision', `\n${head.join('\n')}\n${markdown(all, anchorsOf(all))}\n`);
  console.error(`written to ${relative(process.cwd(), fileURLToPath(file))}`);
}
if (options.json)
  console.log(JSON.stringify({ rows: [...run.flatMap(rowsOf), ...anchorsOf(run)] }));
else console.log(markdown(run, anchorsOf(run)));

function version(): string {
  return JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version;
}
