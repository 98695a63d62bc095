/**
 * Ways of tuning on one set: each against plain fine-tuning with the same rate and, but for one, the same passes. A way may also begin at
 * what an earlier run left: a related task (intermediate-task training), or the target's own texts without labels.
 * @see Phang et al., "Sentence encoders on STILTs", 2018; Gururangan et al., "Don't stop pretraining", 2020
 */
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readTextDataset } from '../../src/data/index.node.js';
import { type Cell, type CellKey, fitArguments, graft, runCell } from './cells.js';
import type { CurveContext } from './text-curves.js';
import { SEEDS, TEXT_SETS, type TextSet } from './text-sets.js';

/** Name for `--only`. */
export const WAYS = 'ways of tuning';

const TARGET: TextSet = TEXT_SETS.find(({ name }) => name === 'mr')!;
/** Opinions on goods, a task like the target's; no text of it is a film review of the target. */
const RELATED = ['books', 'dvd', 'electronics', 'kitchen'].map((d) => `amazon_multidomain/${d}`);

/** What is trained before the target. */
type Before = 'related' | 'texts';

interface Way {
  readonly name: string;
  readonly options: Readonly<Record<string, string | number>>;
  readonly before?: Before;
}

const PLAIN: Way = { name: 'plain fine-tuning', options: {} };
const CHANGED: readonly Way[] = [
  { name: 'rates falling by 0.8 a layer', options: { 'layer-decay': 0.8 } },
  { name: 'gradual unfreezing', options: { method: 'gradual-unfreezing' } },
  { name: 'the top layer anew', options: { 'reinit-layers': 1 } },
  { name: 'twice the passes, weights averaged', options: { epochs: 4, ema: 0.99 } },
  { name: 'after opinions on goods', options: {}, before: 'related' },
  { name: "after the target's texts without labels", options: {}, before: 'texts' },
];

/** A way with its runs. */
export interface WayResult {
  readonly set: TextSet;
  readonly name: string;
  readonly cells: readonly Cell[];
  /** Runs of plain fine-tuning; null for those themselves. */
  readonly plain: readonly Cell[] | null;
}

/** All parts of the related sets as one set. */
async function related(data: string, to: string): Promise<void> {
  const parts = { train: '', valid: '' };
  for (const folder of RELATED) {
    const set = await readTextDataset(join(data, folder), { split: false });
    if (set.kind !== 'single-label') throw new Error(`${folder} is no set of opinions.`);
    for (const part of ['train', 'valid'] as const) {
      for (const { text, label } of set[part]) {
        parts[part] += `${JSON.stringify({ text, label: set.classes[label] })}\n`;
      }
    }
  }
  mkdirSync(to, { recursive: true });
  for (const part of ['train', 'valid'] as const) {
    writeFileSync(join(to, `${part}.jsonl`), parts[part]);
  }
}

/** The training texts of the target, one a line. */
async function textsAlone(data: string, to: string): Promise<void> {
  const set = await readTextDataset(join(data, TARGET.folder), { split: false });
  const line = ({ text }: { readonly text: string }) => text.replaceAll(/\s+/g, ' ').trim();
  if (set.kind !== 'single-label') throw new Error(`${TARGET.folder} is no set of opinions.`);
  writeFileSync(to, `${set.train.map(line).join('\n')}\n`);
}

/** The encoder after what comes before the target; made once for each state of the code, by seed 0. */
async function startedAt(before: Before, encoder: string, context: CurveContext): Promise<string> {
  const { data, bases, code } = context;
  const made = join(bases, `ways-${before}-${code}`);
  if (existsSync(made)) return made;
  const scratch = mkdtempSync(join(tmpdir(), 'graft-ways-'));
  const run = join(scratch, 'run');
  try {
    if (before === 'related') {
      await related(data, join(scratch, 'data'));
      const options = { base: encoder, epochs: 2, 'max-length': 128, batch: 32, lr: TARGET.lr };
      await graft(['fit', ...fitArguments(join(scratch, 'data'), options), '--out', run]);
    } else {
      const texts = join(scratch, 'texts.txt');
      await textsAlone(data, texts);
      const options = { base: encoder, epochs: 3, 'max-length': 64, batch: 32 };
      await graft([
        'pretrain',
        ...fitArguments(texts, options),
        '--objective',
        'mlm',
        '--out',
        run,
      ]);
    }
    mkdirSync(bases, { recursive: true });
    cpSync(join(run, 'model'), `${made}.tmp`, { recursive: true });
    renameSync(`${made}.tmp`, made);
    const said = readFileSync(join(run, 'run.json'), 'utf8');
    console.error(`${WAYS}: ${before} learned, ${JSON.stringify(JSON.parse(said).result.valid)}`);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  return made;
}

/** Runs of every way, missing ones made where that is asked for; none without runs of plain fine-tuning. */
export async function runWays(encoder: string, context: CurveContext): Promise<WayResult[]> {
  const { data, kept, code, seeds, known, older, run } = context;
  const folder = join(data, TARGET.folder);
  const found = new Map<Way, Cell[]>([PLAIN, ...CHANGED].map((way) => [way, []]));
  for (const seed of SEEDS) {
    for (const [way, cells] of found) {
      // In the order of the table's cells, so that plain fine-tuning is the table's own run.
      const choices = {
        method: 'fine-tune',
        seed,
        ...TARGET.options,
        lr: TARGET.lr,
        ...way.options,
        ...(way.before ? { before: way.before } : {}),
      };
      const key: CellKey = { choices, data: known(folder), start: known(encoder), code };
      let cell = kept.read(key) ?? (older ? kept.readOlder(key) : null);
      if (!cell && run && seeds.includes(seed)) {
        const base = way.before ? await startedAt(way.before, encoder, context) : encoder;
        const { before: _, ...asked } = choices as typeof choices & { before?: Before };
        cell = await runCell(fitArguments(folder, { base, ...asked }), 'test');
        kept.write(key, cell);
        console.error(
          `${WAYS}, ${way.name}, seed ${seed}: ${cell.metrics[TARGET.metric]!.toFixed(3)}, ${cell.seconds.toFixed(0)} s`,
        );
      }
      if (cell) cells.push(cell);
    }
  }
  const plain = found.get(PLAIN)!;
  if (plain.length === 0) return [];
  return [...found]
    .filter(([, cells]) => cells.length > 0)
    .map(([way, cells]) => ({
      set: TARGET,
      name: way.name,
      cells,
      plain: way === PLAIN ? null : plain,
    }));
}
