/**
 * Makes the embedded base `graft/mobilenet_v2` from an 8-bit ImageNet MobileNet V2 that was
 * dequantised: no head, kernels in float16 without loss, norms with statistics of their own.
 *
 *     npx tsx scripts/pretrain/vision-base.ts --from FOLDER --photos FOLDER [--out assets/bases/mobilenet_v2]
 *
 * `--from` is the dequantised checkpoint in Hugging Face's layout, `--photos` a folder of photographs
 * from which statistics are taken. The function that the network computes stays the same; what
 * changes is that it may now be trained by batch statistics, too (see the card).
 */
import { copyFileSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { AUGMENTATIONS, type ImageSample } from '../../src/data/index.js';
import { ImageLoader } from '../../src/data/index.node.js';
import { createEngine, type HostTensor, type Weights } from '../../src/index.js';
import { openCheckpointFolder, writeSafetensors } from '../../src/io/index.node.js';
import {
  type ImageConfig,
  type LoadedClassifier,
  loadImageClassifier,
  preprocessorFor,
  writeConfig,
} from '../../src/models/index.js';
import { exactHalf, widened } from './levels.js';
import { type Moments, normStatistics, normsOf } from './norm-statistics.js';

/** Random views taken of each photograph. */
const VIEWS = 60;
/** Parts between a tenth and all of a photograph, in the shapes that training sees. */
const CROP = { scale: [0.1, 1], ratio: [3 / 4, 4 / 3] } as const;

/** A norm with everything before it: y = gain kernel(x) a + d, with a and d one number a channel. */
interface Affine {
  readonly kernel: HostTensor;
  readonly a: Float64Array;
  readonly d: Float64Array;
}

const values = (weights: Weights, path: string) => weights.get(path)!.data as Float32Array;

function vector(data: ArrayLike<number>): HostTensor {
  return { dtype: 'float32', shape: [data.length], data: Float32Array.from(data) };
}

/** What a norm and the convolution before it compute, the kernel in float16. */
function affineOf({ weights }: LoadedClassifier, norm: string, epsilon: number): Affine {
  const path = norm.replace(/normalization$/, 'convolution.weight');
  const exact = exactHalf(weights.get(path)!);
  if (!exact) throw new Error(`${path}: the values are no multiples of one step.`);
  const [scale, shift] = [values(weights, `${norm}.weight`), values(weights, `${norm}.bias`)];
  const centre = values(weights, `${norm}.running_mean`);
  const spread = values(weights, `${norm}.running_var`);
  const slope = Float64Array.from(scale, (w, i) => w / Math.sqrt(spread[i]! + epsilon));
  return {
    kernel: exact.weight,
    a: slope.map((s) => s * exact.gain),
    d: Float64Array.from(shift, (b, i) => b - centre[i]! * slope[i]!),
  };
}

/** The tensors of a norm that computes y = a x + d and knows the moments of x. */
function normTensors(
  norm: string,
  { a, d }: Affine,
  { mean, variance }: Moments,
  epsilon: number,
): [string, HostTensor][] {
  return [
    [`${norm}.weight`, vector(a.map((s, i) => s * Math.sqrt(variance[i]! + epsilon)))],
    [`${norm}.bias`, vector(d.map((b, i) => b + a[i]! * mean[i]!))],
    [`${norm}.running_mean`, vector(mean)],
    [`${norm}.running_var`, vector(variance)],
  ];
}

/** Moments of which nothing is known: with them a norm is its affine map alone. */
function unknownMoments(length: number, epsilon: number): Moments {
  return {
    mean: new Float64Array(length),
    variance: new Float64Array(length).fill(1 - epsilon),
  };
}

function photographs(folder: string): ImageSample[] {
  const names = readdirSync(folder).filter((f) => /\.(jpe?g|bmp|png)$/i.test(f) && !/mask/.test(f));
  return names.sort().flatMap((name) =>
    Array.from({ length: VIEWS }, (_, i) => ({
      id: `${name} ${i}`,
      file: join(folder, name),
      label: 0,
    })),
  );
}

/** Tensors of the trunk: float16 kernels, float32 norms. */
async function trunk(loaded: LoadedClassifier, photos: string): Promise<Weights> {
  const { model, preprocess, weights, config } = loaded;
  const { epsilon } = config as ImageConfig & { epsilon: number };
  const affine = new Map(
    [...normsOf(model).keys()].map((norm) => [norm, affineOf(loaded, norm, epsilon)]),
  );
  const exact: Weights = new Map(weights);
  for (const [norm, map] of affine) {
    exact.set(norm.replace(/normalization$/, 'convolution.weight'), widened(map.kernel));
    const plain = normTensors(norm, map, unknownMoments(map.a.length, epsilon), epsilon);
    for (const [path, value] of plain) exact.set(path, value);
  }
  const engine = await createEngine();
  const loader = new ImageLoader(photographs(photos), {
    classes: 1,
    preprocess,
    batchSize: 16,
    seed: 1,
    augmentation: { ...AUGMENTATIONS.none, crop: CROP, flip: 0.5 },
    strict: true,
  });
  const moments = await normStatistics(engine, model, exact, loader);
  await loader.close();
  await engine.release();
  const tensors: Weights = new Map();
  for (const [norm, map] of affine) {
    tensors.set(norm.replace(/normalization$/, 'convolution.weight'), map.kernel);
    const known = normTensors(norm, map, moments.get(norm)!, epsilon);
    for (const [path, value] of known) tensors.set(path, value);
  }
  return tensors;
}

/** `config.json` of a trunk: no labels, and Hugging Face's class without a head. */
function trunkConfig({ definition, config }: LoadedClassifier) {
  const { id2label, label2id, num_labels, ...rest } = writeConfig(definition, config);
  return { ...rest, architectures: ['MobileNetV2Model'] };
}

const { values: args } = parseArgs({
  options: {
    from: { type: 'string' },
    photos: { type: 'string' },
    out: { type: 'string', default: 'assets/bases/mobilenet_v2' },
  },
});
if (!args.from || !args.photos)
  throw new Error('Usage: vision-base.ts --from FOLDER --photos FOLDER');
const loaded = await loadImageClassifier(openCheckpointFolder(args.from));
const tensors = await trunk(loaded, args.photos);
mkdirSync(args.out, { recursive: true });
const json = (name: string, value: object) =>
  writeFileSync(join(args.out, name), `${JSON.stringify(value, null, 2)}\n`);
await writeSafetensors(join(args.out, 'model.safetensors'), tensors, { format: 'pt' });
json('config.json', trunkConfig(loaded));
json('preprocessor_config.json', preprocessorFor(loaded.definition.processor, loaded.preprocess));
const licence = join(args.from, 'LICENSE');
if (existsSync(licence)) copyFileSync(licence, join(args.out, 'LICENSE'));
const elements = [...tensors.values()].reduce((n, t) => n + t.data.length, 0);
const bytes = [...tensors.values()].reduce((n, t) => n + t.data.byteLength, 0);
console.log(
  `${tensors.size} tensors, ${elements} numbers, ${(bytes / 1e6).toFixed(2)} MB in ${args.out}`,
);
