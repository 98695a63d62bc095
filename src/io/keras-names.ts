/** Which datasets of an HDF5 file are weights in Keras's layouts, and under which names. */
import type { Hdf5Object } from './keras-worker.js';

/** Groups of a whole Keras 3 model that hold the state of training. */
const TRAINING = new Set([
  'optimizer',
  'metrics',
  '_metrics',
  'compile_metrics',
  '_compile_metrics',
]);
/** Groups that hold layers, which Keras 3 numbers by class instead of naming them. */
const CONTAINERS = new Set(['layers', '_layer_checkpoint_dependencies']);

type Objects = ReadonlyMap<string, Hdf5Object>;

/** A list of names, which Keras cuts into `name0`, `name1`, ... when it is longer than 64 KiB. */
function nameList(object: Hdf5Object | undefined, name: string): readonly string[] | undefined {
  const whole = object?.attributes[name];
  if (whole) return whole;
  const parts: string[] = [];
  for (let i = 0; ; i++) {
    const part = object?.attributes[`${name}${i}`];
    if (!part) return i > 0 ? parts : undefined;
    parts.push(...part);
  }
}

/** What {@link kerasWeights} finds. */
export interface KerasWeights {
  /** Path of the dataset by name of the weight. */
  readonly weights: ReadonlyMap<string, string>;
  /** Datasets that the file lists but does not hold. */
  readonly missing: readonly string[];
}

/** Keras 1 and 2: the root (or `model_weights` of a whole model) lists layers, layers list weights. */
function listedWeights(objects: Objects): KerasWeights | undefined {
  const root = ['', 'model_weights'].find((path) => nameList(objects.get(path), 'layer_names'));
  if (root === undefined) return undefined;
  const below = (name: string) => (root === '' ? name : `${root}/${name}`);
  const layers = [...nameList(objects.get(root), 'layer_names')!, 'top_level_model_weights'];
  const weights = new Map<string, string>();
  const missing: string[] = [];
  for (const layer of layers) {
    const group = below(layer);
    for (const weight of nameList(objects.get(group), 'weight_names') ?? []) {
      const path = `${group}/${weight}`;
      const plain = weight.replace(/:0$/, '');
      const own = plain.startsWith(`${layer}/`) || layer === 'top_level_model_weights';
      const name = own ? plain : `${layer}/${plain}`;
      if (objects.get(path)?.dataset && !weights.has(name)) weights.set(name, path);
      else missing.push(path);
    }
  }
  return { weights, missing };
}

/** Keras 3: every `vars` group holds numbered weights of the object that it belongs to. */
function numberedWeights(objects: Objects): KerasWeights {
  const paths = [...objects.values()]
    .filter(({ path, dataset }) => dataset && path.split('/').at(-2) === 'vars')
    .map(({ path }) => path)
    .filter((path) => !TRAINING.has(path.split('/')[0]!))
    .sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
  /** The layer's own name, which newer versions keep beside its number. */
  const ownName = (parts: readonly string[], i: number) =>
    CONTAINERS.has(parts[i - 1] ?? '')
      ? objects.get([...parts.slice(0, i + 1), 'vars'].join('/'))?.attributes.name?.[0]
      : undefined;
  const short = (path: string, named: boolean) => {
    const parts = path.split('/');
    const at = parts.length - 2; // of 'vars'
    return parts
      .map((part, i) => (named && ownName(parts, i)) || part)
      .filter((_, i) => i !== at && !CONTAINERS.has(parts[i]!))
      .join('/');
  };
  // The first way to write them under which no two are called the same.
  const ways = [(p: string) => short(p, true), (p: string) => short(p, false), (p: string) => p];
  const named = ways.map((way) => new Map(paths.map((path) => [way(path), path])));
  return { weights: named.find((m) => m.size === paths.length)!, missing: [] };
}

/**
 * Names of weights as `layer/weight`: of Keras 1 and 2 the layer's own weight names without `:0`
 * (`conv1/kernel`), of Keras 3, which keeps no names of weights, their numbers (`conv2d_1/0`). State
 * of optimizer and metrics is left out.
 */
export function kerasWeights(list: readonly Hdf5Object[]): KerasWeights {
  const objects = new Map(list.map((object) => [object.path, object]));
  return listedWeights(objects) ?? numberedWeights(objects);
}
