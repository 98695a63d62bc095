/**
 * The table of texts in docs/results.md: a text base fine-tuned, frozen, and the same network from random
 * weights, three seeds each.
 *
 *     npm run results:text -- --encoder FOLDER [--json] [--write] [--only NAME] [--base NAME]
 *         [--method NAME] [--seeds N] [--older] [--data FOLDER]
 *
 * `--encoder` is a folder with all-MiniLM-L6-v2 (BERT architecture); without it only the embedded base is measured.
 * A finished run is kept in .cache/results and used again as long as configuration, data and code are the same;
 * with `--older` also when the code was another. The whole takes hours and may be made in goes, by set, base, method and number
 * of seeds.
 */
import { existsSync } from 'node:fs';
import { cpus } from 'node:os';
import { basename, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { writeTable } from '../../bench/harness.js';
import { type Cell, type CellKey, fingerprint, fitArguments, KeptCells, runCell } from './cells.js';
import { codeVersion } from './code-version.js';
import { CURVES, type CurvePoint, runCurve } from './text-curves.js';
import { SEEDS, TEXT_SETS, type TextMethod, type TextSet } from './text-sets.js';
import { runSummaries, SUMMARIES } from './text-summaries.js';
import {
  curveMarkdown,
  curveRow,
  summaryMarkdown,
  type TextComparison,
  textMarkdown,
  textRow,
  waysMarkdown,
} from './text-table.js';
import { runWays, WAYS } from './text-ways.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const { values: options } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
    method: { type: 'string', default: '' },
    base: { type: 'string', default: '' },
    seeds: { type: 'string', default: '3' },
    older: { type: 'boolean', default: false },
    encoder: { type: 'string' },
    data: { type: 'string', default: join(root, '../shared/data') },
  },
});
const data = resolve(options.data);
if (!existsSync(data)) throw new Error(`There is no folder ${data}; give the data by --data.`);

/** A base, by the name that the table gives it. */
interface TableBase {
  readonly name: string;
  /** What `--base` is given. */
  readonly path: string;
  readonly folder: string;
  readonly real: boolean;
}

const embedded = join(root, 'assets/bases/minilm');
const bases: readonly TableBase[] = [
  ...(options.encoder
    ? [
        {
          name: 'all-MiniLM-L6-v2',
          path: resolve(options.encoder),
          folder: resolve(options.encoder),
          real: true,
        },
      ]
    : []),
  ...(existsSync(embedded)
    ? [{ name: 'graft/minilm', path: 'graft/minilm', folder: embedded, real: false }]
    : []),
];
if (!/^[0-3]$/.test(options.seeds)) throw new Error(`--seeds is 0 to 3, got ${options.seeds}.`);
const seeds = SEEDS.slice(0, Number(options.seeds));
const kept = new KeptCells(join(root, '.cache/results/text'));
const fingerprints = new Map<string, string>();
const code = await codeVersion([
  'src/run/fit.ts',
  ...['bert', 'gpt2', 't5'].map((name) => `src/models/${name}.ts`),
]);

function known(folder: string): string {
  const found = fingerprints.get(folder) ?? fingerprint(folder);
  fingerprints.set(folder, found);
  return found;
}

/** A run's result; null when it is not kept and may not be run. */
async function cellOf(
  set: TextSet,
  base: TableBase,
  method: TextMethod,
  seed: number,
  run: boolean,
): Promise<Cell | null> {
  const folder = join(data, set.folder);
  const choices: Record<string, string | number> = { method, seed, ...set.options };
  if (method !== 'feature-extraction') choices.lr = method === 'scratch' ? set.scratchLr : set.lr;
  const key: CellKey = { choices, data: known(folder), start: known(base.folder), code };
  const before = kept.read(key) ?? (options.older ? kept.readOlder(key) : null);
  if (before || !run) return before;
  const cell = await runCell(fitArguments(folder, { base: base.path, ...choices }), 'test');
  kept.write(key, cell);
  console.error(
    `${set.name}, ${base.name}, ${method}, seed ${seed}: ${set.metric} ${cell.metrics[set.metric]!.toFixed(3)}, ${cell.seconds.toFixed(0)} s`,
  );
  return cell;
}

/** Runs of a set with a base, as far as there are any; null when it was not fine-tuned yet. */
async function compare(
  set: TextSet,
  base: TableBase,
  run: boolean,
): Promise<TextComparison | null> {
  const methods = ['fine-tune', 'feature-extraction', 'scratch'] as const;
  const found: Record<TextMethod, Cell[]> = {
    'fine-tune': [],
    'feature-extraction': [],
    scratch: [],
  };
  // Seed by seed, so that a table that is cut short has something of every method.
  for (const seed of SEEDS) {
    for (const method of methods) {
      const asked =
        run &&
        seeds.includes(seed) &&
        base.name.includes(options.base) &&
        (options.method === '' || options.method === method);
      const cell = await cellOf(set, base, method, seed, asked);
      if (cell) found[method].push(cell);
    }
  }
  const { 'fine-tune': tuned, 'feature-extraction': frozen, scratch } = found;
  if (tuned.length === 0) return null;
  return { set, base: base.name, real: base.real, tuned, frozen, scratch };
}

const asked = ({ name }: { readonly name: string }) => name.includes(options.only.toLowerCase());
const names = [...TEXT_SETS, ...CURVES, { name: SUMMARIES }, { name: WAYS }].map((s) => s.name);
if (!names.some((name) => asked({ name }))) {
  throw new Error(`--only ${options.only}: there are ${names.join(', ')}.`);
}
const all: TextComparison[] = [];
for (const set of TEXT_SETS) {
  for (const base of bases) {
    const comparison = await compare(set, base, asked(set));
    if (comparison) all.push(comparison);
  }
}
const made = join(root, '.cache/results/text-bases');
const context = { data, kept, bases: made, code, seeds, known, older: options.older };
const points: CurvePoint[] = [];
for (const curve of CURVES) {
  points.push(...(await runCurve(curve, { ...context, run: asked(curve) })));
}
const summaries = await runSummaries(
  { ...context, run: asked({ name: SUMMARIES }) },
  options.encoder ? resolve(options.encoder) : null,
);
const ways = options.encoder
  ? await runWays(resolve(options.encoder), { ...context, run: asked({ name: WAYS }) })
  : [];
const others = [
  ...(points.length ? [curveMarkdown(points)] : []),
  ...(summaries ? [summaryMarkdown(summaries)] : []),
  ...(ways.length > 1 ? [waysMarkdown(ways)] : []),
];
if (options.write) {
  const cells = [
    ...all.flatMap(({ tuned, frozen, scratch }) => [...tuned, ...frozen, ...scratch]),
    ...points.flatMap(({ transfer, scratch }) => [...transfer, ...scratch]),
    ...(summaries ? [...summaries.cells, ...summaries.tuned, ...summaries.scratch] : []),
    ...ways.flatMap((way) => way.cells),
  ];
  const threads = [...new Set(cells.map((cell) => cell.threads))].sort().join(' or ');
  const missing = TEXT_SETS.filter((set) => !all.some((c) => c.set.name === set.name));
  const head = [
    `${threads} threads of ${cpus()[0]?.model.trim() ?? 'a processor'}, ${new Date().toISOString().slice(0, 10)}, seeds ${SEEDS.join(', ')}.`,
    ...(options.older ? ['Runs of earlier states of the code count too (`--older`).'] : []),
    ...(missing.length ? [`Not measured yet: ${missing.map((s) => s.name).join(', ')}.`] : []),
    '',
  ];
  const file = new URL('../../docs/results.md', import.meta.url);
  writeTable(
    file,
    'text',
    `\n${head.join('\n')}\n${[textMarkdown(all), ...others].join('\n\n')}\n`,
  );
  console.error(`written to ${basename(relative(process.cwd(), fileURLToPath(file)))}`);
}
const shown = all.filter(({ set }) => asked(set));
if (options.json)
  console.log(JSON.stringify({ rows: [...shown.map(textRow), ...points.map(curveRow)] }));
else console.log([textMarkdown(shown), ...others].join('\n\n'));
