/**
 * Measures what a base is worth: linear probes on its frozen features, by its running statistics
 * and by those of the batch.
 *
 *     npx tsx scripts/pretrain/measure-base.ts --from FOLDER --data FOLDER [--base assets/bases/mobilenet_v2] [--write]
 *
 * `--from` is the checkpoint that the base was made from, `--data` holds `hymenoptera` (train/,
 * valid/) and `office_caltech10/amazon`. `--write` puts the table into the base's card.
 */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { writeTable } from '../../bench/harness.js';
import { readImageDataset } from '../../src/data/index.node.js';
import { createEngine, initialize } from '../../src/index.js';
import { openCheckpointFolder } from '../../src/io/index.node.js';
import { type LoadedClassifier, loadImageClassifier } from '../../src/models/index.js';
import { LinearProbe, splitRows, subset } from './linear-probe.js';
import { pooledFeatures } from './pooled-features.js';

const SPLITS = 5;

const percent = (x: number) => (100 * x).toFixed(1);

/** One line of the table: ants and bees on their own split, amazon on random ones. */
async function measure(
  name: string,
  loaded: LoadedClassifier,
  data: string,
  byBatch: boolean,
): Promise<string> {
  const insects = await readImageDataset(join(data, 'hymenoptera'));
  const train = await pooledFeatures(engine, loaded, insects.train, byBatch);
  const valid = await pooledFeatures(engine, loaded, insects.valid, byBatch);
  const goods = await readImageDataset(join(data, 'office_caltech10/amazon'), { split: false });
  const all = await pooledFeatures(
    engine,
    loaded,
    [...goods.train, ...goods.valid, ...goods.test],
    byBatch,
  );
  const shares = Array.from({ length: SPLITS }, (_, seed) => {
    const [fit, held] = splitRows(all.labels.length, 0.8, seed);
    return LinearProbe.fit(subset(all, fit)).accuracy(subset(all, held));
  });
  const mean = shares.reduce((a, b) => a + b) / SPLITS;
  const spread = Math.sqrt(shares.reduce((s, x) => s + (x - mean) ** 2, 0) / (SPLITS - 1));
  const insectShare = LinearProbe.fit(train).accuracy(valid);
  const row = `| ${name} | ${byBatch ? 'batch' : 'running'} | ${percent(insectShare)} | ${percent(mean)} ± ${percent(spread)} |`;
  console.log(row);
  return row;
}

const { values: args } = parseArgs({
  options: {
    from: { type: 'string' },
    data: { type: 'string' },
    base: { type: 'string', default: 'assets/bases/mobilenet_v2' },
    write: { type: 'boolean', default: false },
  },
});
if (!args.from || !args.data) throw new Error('Usage: measure-base.ts --from FOLDER --data FOLDER');
const { data } = args;
const engine = await createEngine();
const original = await loadImageClassifier(openCheckpointFolder(args.from));
const base = await loadImageClassifier(openCheckpointFolder(args.base));
const random = { ...base, weights: initialize(base.model, 1) };
const rows: string[] = [];
for (const [name, loaded] of [
  ['this base', base],
  ['the float32 checkpoint it was made from', original],
  ['the same network at random', random],
] as const) {
  for (const byBatch of [false, true]) rows.push(await measure(name, loaded, data, byBatch));
}
await engine.release();
if (args.write) {
  const head = '| weights | norms by | hymenoptera, % | amazon, % |\n|---|---|---|---|';
  const card = pathToFileURL(join(args.base, 'README.md'));
  writeTable(card, 'linear probes', `${head}\n${rows.join('\n')}`);
}
