/** Curves over the number of target samples: a model trained on a source first, against the same from scratch. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readTextDataset } from '../../src/data/index.node.js';
import { KeyedRandom } from '../../src/util/index.js';
import { type Cell, type CellKey, fitArguments, graft, type KeptCells, runCell } from './cells.js';
import { keepEncoder, type SmallNetwork, textsOf, writeSmallBase } from './small-base.js';
import { SEEDS } from './text-sets.js';

/** One question: how much does the source help, by the number of target samples. */
export interface Curve {
  readonly name: string;
  /** Folders below the data. */
  readonly source: string;
  readonly target: string;
  readonly network: SmallNetwork;
  readonly metric: string;
  readonly better: 'higher' | 'lower';
  /** Passes over the source. */
  readonly sourceEpochs: number;
  /** Target samples, and the passes over them: fewer samples, more passes. */
  readonly sizes: readonly (readonly [samples: number, epochs: number])[];
  readonly options: Readonly<Record<string, string | number>>;
  /** Only the encoder is kept; else everything. */
  readonly encoderOnly: boolean;
}

/** The encoder-decoder of curves and summaries. */
export const T5: SmallNetwork = {
  modelType: 't5',
  head: 'seq2seq-lm',
  words: 6000,
  config: {
    d_model: 192,
    d_kv: 48,
    d_ff: 512,
    num_layers: 2,
    num_heads: 4,
    dropout_rate: 0.1,
    feed_forward_proj: 'relu',
  },
};

const GPT2: SmallNetwork = {
  modelType: 'gpt2',
  head: 'causal-lm',
  words: 6000,
  config: { n_embd: 192, n_layer: 3, n_head: 4, n_positions: 128 },
};

/** The curves of docs/results.md. */
export const CURVES: readonly Curve[] = [
  {
    name: 'language model, books to films',
    source: 'amazon_multidomain/books',
    target: 'mr',
    network: GPT2,
    metric: 'perplexity',
    better: 'lower',
    sourceEpochs: 6,
    sizes: [
      [250, 12],
      [1000, 6],
      [4000, 4],
    ],
    options: { task: 'language-modeling', 'max-length': 64, lr: 1e-3 },
    encoderOnly: false,
  },
  {
    name: 'translation, en-de to en-fr',
    source: 'multi30k/en-de',
    target: 'multi30k/en-fr',
    network: T5,
    metric: 'bleu',
    better: 'higher',
    sourceEpochs: 5,
    sizes: [
      [1000, 20],
      [5000, 8],
      [20000, 4],
    ],
    options: { 'max-length': 64, lr: 1e-3, batch: 32 },
    encoderOnly: true,
  },
];

type Method = 'fine-tune' | 'scratch';

/** Results of a curve at one number of samples. */
export interface CurvePoint {
  readonly curve: Curve;
  readonly samples: number;
  readonly transfer: readonly Cell[];
  readonly scratch: readonly Cell[];
}

/** Some rows of the training part, drawn by a seed, with the other parts as they are. */
async function subset(folder: string, to: string, samples: number, seed: number): Promise<void> {
  const set = await readTextDataset(folder, { split: false });
  mkdirSync(to, { recursive: true });
  const jsonl = (rows: readonly object[]) => `${rows.map((r) => JSON.stringify(r)).join('\n')}\n`;
  const row = (sample: object) => {
    const { source, target, text } = sample as { source?: string; target?: string; text?: string };
    return source === undefined ? { text } : { source, target };
  };
  const order = KeyedRandom.of(seed).fold('subset').permutation(set.train.length);
  const chosen = order.slice(0, samples).map((i) => row(set.train[i]!));
  writeFileSync(join(to, 'train.jsonl'), jsonl(chosen));
  for (const part of ['valid', 'test'] as const) {
    writeFileSync(join(to, `${part}.jsonl`), jsonl(set[part].map(row)));
  }
}

/** What a curve is made with. */
export interface CurveContext {
  /** Folder with all data. */
  readonly data: string;
  readonly kept: KeptCells;
  /** Where bases are kept between calls. */
  readonly bases: string;
  readonly code: string;
  readonly seeds: readonly number[];
  /** Cells made by other code count too. */
  readonly older: boolean;
  /** Whether what is missing is run; else only what is kept is told of. */
  readonly run: boolean;
  /** Hash of a folder's files. */
  readonly known: (folder: string) => string;
}

/** What stands for the networks of a curve: their making, and the data. */
function startOf(curve: Curve, { data, known }: CurveContext): string {
  const folders = [curve.source, curve.target].map((f) => join(data, f));
  const { name: _, sizes: __, metric: ___, ...made } = curve;
  return createHash('sha256')
    .update(JSON.stringify([made, folders.map(known)]))
    .digest('hex')
    .slice(0, 16);
}

/** The network from random weights, and the same after the source; made once for each state of the code. */
async function basesOf(curve: Curve, start: string, { data, bases, code }: CurveContext) {
  const folders = [curve.source, curve.target].map((f) => join(data, f));
  const key = `${start}-${code}`;
  const [small, source] = [join(bases, `${key}-small`), join(bases, `${key}-source`)];
  if (!existsSync(small)) await writeSmallBase(small, curve.network, await textsOf(folders));
  if (!existsSync(source)) {
    const beside = `${source}.run`;
    rmSync(beside, { recursive: true, force: true });
    const options = { ...curve.options, epochs: curve.sourceEpochs, method: 'scratch', seed: 0 };
    await graft([
      'fit',
      ...fitArguments(folders[0]!, { base: small, ...options }),
      '--out',
      beside,
    ]);
    if (curve.encoderOnly) await keepEncoder(join(beside, 'model'), source, 0);
    else renameSync(join(beside, 'model'), source);
    rmSync(beside, { recursive: true, force: true });
    console.error(`${curve.name}: the source is learned`);
  }
  return { small, source };
}

/** Points of a curve, those that are missing run where that is asked for. */
export async function runCurve(curve: Curve, context: CurveContext): Promise<CurvePoint[]> {
  const { data, kept, code, seeds, known, older, run } = context;
  const start = startOf(curve, context);
  const target = join(data, curve.target);
  const scratch = mkdtempSync(join(tmpdir(), 'graft-curve-'));
  const cellOf = async (samples: number, epochs: number, method: Method, seed: number) => {
    const options = { ...curve.options, epochs, method, seed };
    const key: CellKey = { choices: { ...options, samples }, data: known(target), start, code };
    const before = kept.read(key) ?? (older ? kept.readOlder(key) : null);
    if (before || !run || !seeds.includes(seed)) return before;
    const bases = await basesOf(curve, start, context);
    const part = join(scratch, `${samples}-${seed}`);
    if (!existsSync(part)) await subset(target, part, samples, seed);
    const base = method === 'scratch' ? bases.small : bases.source;
    const cell = await runCell(fitArguments(part, { base, ...options }), 'test');
    kept.write(key, cell);
    console.error(
      `${curve.name}, ${samples}, ${method}, seed ${seed}: ${curve.metric} ${cell.metrics[curve.metric]!.toFixed(2)}, ${cell.seconds.toFixed(0)} s`,
    );
    return cell;
  };
  const points: CurvePoint[] = [];
  try {
    for (const [samples, epochs] of curve.sizes) {
      const cells: Record<Method, Cell[]> = { 'fine-tune': [], scratch: [] };
      for (const seed of SEEDS) {
        for (const method of ['fine-tune', 'scratch'] as const) {
          const cell = await cellOf(samples, epochs, method, seed);
          if (cell) cells[method].push(cell);
        }
      }
      const { 'fine-tune': transfer, scratch } = cells;
      if (transfer.length && scratch.length) points.push({ curve, samples, transfer, scratch });
    }
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  return points;
}
