/** What there is to start from: `graft bases` and `graft info`. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openCheckpointFolder, openWeights, resolveBase } from '../io/index.node.js';
import {
  allVariants,
  groupIndices,
  isTextModelType,
  modelTypes,
  textModelTypes,
} from '../models/index.js';
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
  /** Architectures of texts. */
  readonly textArchitectures: readonly string[];
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
    textArchitectures: textModelTypes(),
  };
}

/** The list for people. */
export function formatBases({ embedded, architectures, textArchitectures }: BaseList): string {
  return [
    'In the package:',
    ...embedded.map(({ name, summary }) => `  ${name}  ${summary}`),
    'On the hub, in a folder, or as weights of timm and torchvision (--base org/name or a folder):',
    ...architectures.map(({ modelType, variants }) => `  ${modelType}: ${variants.join(', ')}`),
    'Of texts, on the hub or in a folder with its tokenizer:',
    `  ${textArchitectures.join(', ')}`,
    'Any .onnx classifier: --base model.onnx (--cut NAME where its features are not found)',
    '',
  ].join('\n');
}

/** What is told of a text model. */
export interface TextInfo {
  /** What the weights answer, such as `masked-lm`. */
  readonly head: string;
  /** Hugging Face's class. */
  readonly architecture: string;
  /** Tokens of the vocabulary. */
  readonly tokens: number;
  /** Kind of pieces, such as `WordPiece`. */
  readonly tokenizer: string;
  /** Tokens there are positions for; null where any number may come. */
  readonly maxTokens: number | null;
  /** Transformer blocks (of the encoder, and of the decoder where there are both). */
  readonly layers: number;
  /** Channels of the hidden states. */
  readonly width: number;
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
  /** Of pictures. */
  readonly mean?: readonly number[];
  readonly deviation?: readonly number[];
  /** Of texts. */
  readonly text?: TextInfo;
  readonly storage: Readonly<Record<string, number>>;
  readonly paper: string;
  /** Runs: how they ended. */
  readonly status?: string;
}

/** How many tensors of each type lie in a model's folder. */
async function storageAt(path: string): Promise<Record<string, number>> {
  const storage: Record<string, number> = {};
  const weights = await openWeights(join(path, 'model.safetensors')).catch(() => null);
  for (const { dtype } of weights?.types.values() ?? []) storage[dtype] = (storage[dtype] ?? 0) + 1;
  await weights?.close();
  return storage;
}

/** Whether a base is one of texts. */
async function isTextBase(name: string): Promise<boolean> {
  const { kind, path } = await resolveBase(name, { embedded: await embeddedBases() });
  if (kind === 'onnx') return false;
  return isTextModelType((await openCheckpointFolder(path).json('config.json'))?.model_type);
}

/** Describes a base, or the model of a run. */
export async function describeBase(name: string): Promise<BaseInfo> {
  const run = await new RunFolder(name).read().catch(() => null);
  const kind = run ? 'run' : 'base';
  const status = run ? { status: run.status } : {};
  const { isTextRun } = await import('./text/open-run.js');
  if (run ? await isTextRun(name) : await isTextBase(name)) {
    const { describeText } = await import('./text/describe.js');
    const folder = run ? new RunFolder(name).model : null;
    const { path, ...info } = await describeText(name, folder, run?.model.maxTokens);
    return { ...info, kind, storage: await storageAt(path), ...status };
  }
  const engine = await openEngine({});
  const loaded = run
    ? { ...(await loadRunModel(engine, name)), path: new RunFolder(name).model }
    : await loadBase(engine, name);
  const { definition, config, model, preprocess, path } = loaded;
  const groups = groupIndices(model);
  // A head that the base lacks was drawn at random; it has no classes to name.
  const headless = loaded.untrained.length > 0;
  const size = [...model.parameters()].filter(
    ([path, p]) => p.kind === 'weight' && !loaded.untrained.includes(path),
  );
  return {
    name,
    kind,
    modelType: definition.modelType,
    parameters: size.reduce((n, [, p]) => n + p.tensor.size, 0),
    layerGroups: new Set(groups.values()).size,
    classes: headless ? 0 : config.labels.length,
    firstClasses: headless ? [] : config.labels.slice(0, 10),
    input: `${preprocess.width} x ${preprocess.height}, ${preprocess.fit}`,
    mean: preprocess.mean,
    deviation: preprocess.deviation,
    storage: await storageAt(path),
    paper: definition.source.paper,
    ...status,
  };
}

function textLines(text: TextInfo): string[] {
  const { head, architecture, tokens, tokenizer, maxTokens, layers, width } = text;
  const most = maxTokens === null ? 'of any number' : `${maxTokens.toLocaleString('en')} at most`;
  return [
    `answers       ${head} (${architecture})`,
    `shape         ${layers} layers, ${width} channels`,
    `tokens        ${most}, of ${tokens.toLocaleString('en')} in the vocabulary (${tokenizer})`,
  ];
}

/** The description for people. */
export function formatInfo(info: BaseInfo): string {
  const { mean, deviation } = info;
  const pictures =
    mean && deviation ? [`mean ${mean.join(', ')}`, `deviation ${deviation.join(', ')}`] : [];
  const more = info.classes > info.firstClasses.length ? ', ...' : '';
  const stored = Object.entries(info.storage)
    .map(([dtype, n]) => `${n} ${dtype}`)
    .join(', ');
  return [
    `${info.name}: ${info.kind}, ${info.modelType}${info.status ? `, ${info.status}` : ''}`,
    `parameters    ${info.parameters.toLocaleString('en')} in ${info.layerGroups} layer groups`,
    `classes       ${info.classes ? `${info.classes}: ${info.firstClasses.join(', ')}${more}` : 'none of its own; a head is made for yours'}`,
    `input         ${[info.input, ...pictures].join('; ')}`,
    ...(info.text ? textLines(info.text) : []),
    ...(stored ? [`stored as     ${stored}`] : []),
    `source        ${info.paper}`,
    '',
  ].join('\n');
}
