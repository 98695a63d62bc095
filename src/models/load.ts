/** From the files of a checkpoint to a model with its weights. */
import { ConfigError } from '../errors.js';
import type { TensorType } from '../graph/index.js';
import { initialize, type Weights } from '../nn/index.js';
import type { CheckpointFiles } from './checkpoint.js';
import { numberedLabels } from './config-fields.js';
import type { ImageConfig, ModelDefinition, RawConfig } from './define-model.js';
import type { ImageClassifier } from './image-classifier.js';
import { matchWeights, readMatched, requireMatch, type WeightsMatch } from './match-weights.js';
import { forChannels, type ImagePreprocess } from './preprocess.js';
import { parsePreprocessor, parsePretrainedCfg } from './preprocess-parse.js';
import { requireUnquantized } from './quantized.js';
import { findVariant, loadDefinition } from './registry.js';

/** A model, ready for use. */
export interface LoadedClassifier {
  readonly definition: ModelDefinition;
  readonly config: ImageConfig;
  readonly model: ImageClassifier;
  /** float32 values of all parameters, by path. */
  readonly weights: Weights;
  readonly preprocess: ImagePreprocess;
  /** Naming scheme that the checkpoint follows: `huggingface`, `torchvision`, `timm`, ... */
  readonly scheme: string;
  /** Parameters of the head that the checkpoint lacks, and which were therefore drawn at random. */
  readonly untrained: readonly string[];
}

/** Options of {@link loadImageClassifier}. */
export interface LoadOptions {
  /** Published configuration of weights that come without `config.json`, such as `resnet50`. */
  readonly variant?: string;
  /** Seed of a head that the checkpoint lacks. Defaults to 0. */
  readonly seed?: number;
}

interface Described {
  readonly definition: ModelDefinition;
  readonly config: ImageConfig;
  readonly preprocess: ImagePreprocess;
  /** The number of classes is a guess that the weights may correct. */
  readonly guessedLabels: boolean;
}

function isObject(value: unknown): value is RawConfig {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** timm's class names; nothing when there are none or they do not fit. */
function timmLabels(raw: RawConfig, classes: number): readonly string[] {
  const names = raw.label_names;
  const fits =
    Array.isArray(names) && names.length === classes && names.every((n) => typeof n === 'string');
  return fits ? (names as string[]) : numberedLabels(classes);
}

/** timm's `config.json`: the name of a variant, and what differs from it. */
async function describeTimm(raw: RawConfig): Promise<Described> {
  const { definition, variant } = await findVariant(String(raw.architecture));
  const cfg = isObject(raw.pretrained_cfg) ? raw.pretrained_cfg : raw;
  const args = isObject(raw.model_args) ? raw.model_args : {};
  const foreign = Object.keys(args).filter((k) => k !== 'in_chans' && k !== 'num_classes');
  if (foreign.length > 0) {
    throw new ConfigError(
      `config.json: timm's '${raw.architecture}' with model_args ${foreign.join(', ')} is not supported; only in_chans and num_classes may differ.`,
      { foreign },
    );
  }
  const count = args.num_classes ?? raw.num_classes ?? cfg.num_classes;
  const channels = args.in_chans ?? variant.config.channels;
  for (const [field, value] of [
    ['num_classes', count ?? 1],
    ['in_chans', channels],
  ] as const) {
    if (!Number.isInteger(value) || (value as number) < 0 || (value as number) > 1_000_000) {
      throw new ConfigError(`config.json: '${field}' must be a whole number, got ${value}.`, {
        field,
        value,
      });
    }
  }
  // 0 classes is how timm marks a model without head.
  const labels = count ? timmLabels(raw, count as number) : variant.config.labels;
  const config = { ...variant.config, labels, channels: channels as number };
  const preprocess = parsePretrainedCfg(cfg, defaultsOf(definition, config));
  return { definition, config, preprocess, guessedLabels: !count };
}

function defaultsOf(definition: ModelDefinition, config: ImageConfig): ImagePreprocess {
  return forChannels(definition.preprocess(config), config.channels);
}

async function describe(files: CheckpointFiles, variant: string | undefined): Promise<Described> {
  const raw = await files.json('config.json');
  if (raw) requireUnquantized(raw, files.name);
  const modelType = raw?.model_type;
  if (raw && (modelType === undefined || modelType === 'timm_wrapper') && raw.architecture) {
    return describeTimm(raw);
  }
  if (raw && typeof modelType === 'string') {
    const definition = await loadDefinition(modelType);
    const config = definition.parse(raw);
    const guessedLabels = !['id2label', 'num_labels', 'num_classes'].some((f) => raw[f] != null);
    return { definition, config, preprocess: defaultsOf(definition, config), guessedLabels };
  }
  if (variant === undefined) {
    throw new ConfigError(
      `${files.name} has ${raw ? 'a config.json without model_type' : 'no config.json'}, so its architecture is unknown. Say which published configuration it is, e.g. resnet50.`,
      { name: files.name },
      'unknown-architecture',
    );
  }
  const { definition, variant: found } = await findVariant(variant);
  return { definition, ...found, guessedLabels: true };
}

function typesOf(model: ImageClassifier): Map<string, TensorType> {
  return new Map([...model.parameters()].map(([path, p]) => [path, p.tensor]));
}

/** Classes that the head of the checkpoint has, if it has one. */
function classesIn(
  { roles }: ModelDefinition,
  { sources }: WeightsMatch,
  types: ReadonlyMap<string, TensorType>,
): number | undefined {
  const head = [...sources].find(([path]) => roles.head?.test(path));
  return head && types.get(head[1])?.shape[0];
}

/**
 * Loads an image classifier from `config.json` (Hugging Face's or timm's) or, for bare weights, by
 * the name of a published configuration. The names of its tensors may be Hugging Face's, timm's or
 * torchvision's.
 * @throws ConfigError when the architecture is unknown or its configuration is wrong
 * @throws WeightsError when the weights do not fit, listing every missing, unexpected and misshapen
 * tensor; a head that is missing as a whole is drawn at random instead
 */
export async function loadImageClassifier(
  files: CheckpointFiles,
  { variant, seed = 0 }: LoadOptions = {},
): Promise<LoadedClassifier> {
  const described = await describe(files, variant);
  const { definition } = described;
  let { config } = described;
  const processor = await files.json('preprocessor_config.json');
  const preprocess = processor
    ? parsePreprocessor(processor, described.preprocess)
    : described.preprocess;
  const source = await files.tensors();
  try {
    let model = definition.build(config);
    let match = matchWeights(definition, source.types, typesOf(model));
    const classes = described.guessedLabels ? classesIn(definition, match, source.types) : 0;
    if (classes && classes !== config.labels.length) {
      config = { ...config, labels: numberedLabels(classes) };
      model = definition.build(config);
      match = matchWeights(definition, source.types, typesOf(model));
    }
    const isHead = (path: string) => definition.roles.head?.test(path) ?? false;
    const head = [...model.parameters().keys()].filter(isHead);
    const headless = head.length > 0 && head.every((path) => match.missing.includes(path));
    const untrained = headless ? head : [];
    const missing = match.missing.filter((path) => !untrained.includes(path));
    requireMatch({ ...match, missing }, `${files.name} as a ${definition.modelType}`);
    const read = await readMatched(match, source, typesOf(model));
    const drawn = initialize(model, seed, (path) => untrained.includes(path));
    const weights: Weights = new Map([...read, ...drawn]);
    return { definition, config, model, weights, preprocess, scheme: match.scheme, untrained };
  } finally {
    await source.close();
  }
}
