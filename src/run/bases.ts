/** What there is to start from: `graft bases` and `graft info`. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openWeights } from '../io/index.node.js';
import { allVariants, groupIndices, modelTypes } from '../models/index.js';
import { loadRunModel } from './apply.js';
import { embeddedBases, loadBase } from './base.js';
import { openEngine } from './engine.js';
import { RunFolder } from './run-folder.js';

/** Bases in the package and architectures that can be loaded. */
export interface BaseList {
  readonly embedded: readonly { readonly name: string; readonly summary: string }[];
  readonly architectures: readonly {
    readonly modelType: string;
    readonly variants: readonly string[];
  }[];
}

/** First sentence of a base's card below its title. */
async function summaryAt(folder: string): Promise<string> {
  const card = await readFile(join(folder, 'README.md'), 'utf8').catch(() => '');
  const body = card.replace(/^---\n[\s\S]*?\n---\n/, '').split('\n');
  return body.find((line) => /^[A-Za-z]/.test(line)) ?? '';
}

/** Lists everything that `--base` takes beside hub names and files. */
export async function listBases(): Promise<BaseList> {
  const embedded = await Promise.all(
    [...(await embeddedBases())].map(async ([name, folder]) => ({
      name: `graft/${name}`,
      summary: await summaryAt(folder),
    })),
  );
  const variants = await allVariants();
  return {
    embedded,
    architectures: modelTypes().map((modelType) => ({
      modelType,
      variants: variants.filter((v) => v.definition.modelType === modelType).map((v) => v.name),
    })),
  };
}

/** The list for people. */
export function formatBases({ embedded, architectures }: BaseList): string {
  return [
    'In the package:',
    ...embedded.map(({ name, summary }) => `  ${name}  ${summary}`),
    'On the hub, in a folder, or as weights of timm and torchvision (--base org/name or a folder):',
    ...architectures.map(({ modelType, variants }) => `  ${modelType}: ${variants.join(', ')}`),
    'Any .onnx classifier: --base model.onnx (--cut NAME where its features are not found)',
    '',
  ].join('\n');
}

/** What a base or a run is. */
export interface BaseInfo {
  readonly name: string;
  readonly kind: 'base' | 'run';
  readonly modelType: string;
  readonly parameters: number;
  readonly layerGroups: number;
  readonly classes: number;
  readonly firstClasses: readonly string[];
  readonly input: string;
  readonly mean: readonly number[];
  readonly deviation: readonly number[];
  readonly storage: Readonly<Record<string, number>>;
  readonly paper: string;
  /** Runs: how they ended. */
  readonly status?: string;
}

/** Describes a base, or the model of a run. */
export async function describeBase(name: string): Promise<BaseInfo> {
  const run = await new RunFolder(name).read().catch(() => null);
  const engine = await openEngine({});
  const loaded = run
    ? { ...(await loadRunModel(engine, name)), path: new RunFolder(name).model }
    : await loadBase(engine, name);
  const { definition, config, model, preprocess, path } = loaded;
  const groups = groupIndices(model);
  const storage: Record<string, number> = {};
  const weights = await openWeights(join(path, 'model.safetensors')).catch(() => null);
  for (const { dtype } of weights?.types.values() ?? []) storage[dtype] = (storage[dtype] ?? 0) + 1;
  await weights?.close();
  // A head that the base lacks was drawn at random; it has no classes to name.
  const headless = loaded.untrained.length > 0;
  const size = [...model.parameters()].filter(
    ([path, p]) => p.kind === 'weight' && !loaded.untrained.includes(path),
  );
  return {
    name,
    kind: run ? 'run' : 'base',
    modelType: definition.modelType,
    parameters: size.reduce((n, [, p]) => n + p.tensor.size, 0),
    layerGroups: new Set(groups.values()).size,
    classes: headless ? 0 : config.labels.length,
    firstClasses: headless ? [] : config.labels.slice(0, 10),
    input: `${preprocess.width} x ${preprocess.height}, ${preprocess.fit}`,
    mean: preprocess.mean,
    deviation: preprocess.deviation,
    storage,
    paper: definition.source.paper,
    ...(run ? { status: run.status } : {}),
  };
}

/** The description for people. */
export function formatInfo(info: BaseInfo): string {
  const more = info.classes > info.firstClasses.length ? ', ...' : '';
  const stored = Object.entries(info.storage)
    .map(([dtype, n]) => `${n} ${dtype}`)
    .join(', ');
  return [
    `${info.name}: ${info.kind}, ${info.modelType}${info.status ? `, ${info.status}` : ''}`,
    `parameters    ${info.parameters.toLocaleString('en')} in ${info.layerGroups} layer groups`,
    `classes       ${info.classes ? `${info.classes}: ${info.firstClasses.join(', ')}${more}` : 'none of its own; a head is made for yours'}`,
    `input         ${info.input}; mean ${info.mean.join(', ')}; deviation ${info.deviation.join(', ')}`,
    ...(stored ? [`stored as     ${stored}`] : []),
    `source        ${info.paper}`,
    '',
  ].join('\n');
}
