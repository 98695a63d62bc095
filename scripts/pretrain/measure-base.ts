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
import type { ImageSample } from '../../src/data/index.js';
import { ImageLoader, readImageDataset } from '../../src/data/index.node.js';
import {
  Context,
  createEngine,
  type HostTensor,
  initialize,
  type Tensor,
} from '../../src/index.js';
import { openCheckpointFolder } from '../../src/io/index.node.js';
import { type LoadedClassifier, loadImageClassifier } from '../../src/models/index.js';
import { tracePart } from '../../src/train/index.js';
import { type Labelled, LinearProbe, splitRows, subset } from './linear-probe.js';

const SPLITS = 5;
const BATCH = 16;

/** Pooled features of samples. @param byBatch normalise by the statistics of each batch of 16 */
async function featuresOf(
  { model, weights, preprocess }: LoadedClassifier,
  samples: readonly ImageSample[],
  byBatch: boolean,
): Promise<Labelled> {
  const engine = await createEngine();
  const classes = 1 + Math.max(...samples.map((s) => s.label));
  const loader = new ImageLoader(samples, { classes, preprocess, batchSize: BATCH });
  const shape = [BATCH, preprocess.mean.length, preprocess.height, preprocess.width];
  const { y } = tracePart(model, 'trunk', shape, new Context({ training: byBatch }));
  const constants = new Map<Tensor, HostTensor>();
  for (const [path, { tensor }] of model.parameters()) constants.set(tensor, weights.get(path)!);
  const program = await engine.program({ y }, { constants });
  const width = y.shape[1]!;
  const features = new Float32Array(samples.length * width);
  // Shuffled, so that a batch is not of one class.
  for await (const batch of loader.batches({ epoch: 0, training: false, shuffle: true })) {
    const { data } = await engine.runtime.download(
      (await program.run({ pixels: batch.pixels })).y!,
    );
    batch.indices.forEach((sample, row) => {
      const values = (data as Float32Array).subarray(row * width, (row + 1) * width);
      if (sample >= 0) features.set(values, sample * width);
    });
  }
  await loader.close();
  await engine.release();
  return { features, width, labels: samples.map((s) => s.label) };
}

const percent = (x: number) => (100 * x).toFixed(1);

/** One line of the table: ants and bees on their own split, amazon on random ones. */
async function measure(
  name: string,
  loaded: LoadedClassifier,
  data: string,
  byBatch: boolean,
): Promise<string> {
  const insects = await readImageDataset(join(data, 'hymenoptera'));
  const train = await featuresOf(loaded, insects.train, byBatch);
  const valid = await featuresOf(loaded, insects.valid, byBatch);
  const goods = await readImageDataset(join(data, 'office_caltech10/amazon'), { split: false });
  const all = await featuresOf(loaded, [...goods.train, ...goods.valid, ...goods.test], byBatch);
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
if (args.write) {
  const head = '| weights | norms by | hymenoptera, % | amazon, % |\n|---|---|---|---|';
  const card = pathToFileURL(join(args.base, 'README.md'));
  writeTable(card, 'linear probes', `${head}\n${rows.join('\n')}`);
}
