/** Which library loads a classifier, and the files that it reads. */
import {
  checkpointOf,
  type ImageClassifier,
  type ImageConfig,
  type ImagePreprocess,
  type ModelDefinition,
  type RawConfig,
  renameWeights,
} from '../models/index.js';
import type { Weights } from '../nn/index.js';
import { timmConfig, timmName } from './timm.js';

/** A classifier with its architecture, as `loadImageClassifier` gives it and training leaves it. */
export interface KnownClassifier {
  readonly definition: ModelDefinition;
  /** Its labels are those of the model as it is now. */
  readonly config: ImageConfig;
  readonly model: ImageClassifier;
  readonly weights: Weights;
  readonly preprocess: ImagePreprocess;
}

/** Who loads an exported folder. */
export interface Loaders {
  /** Class of Python's transformers; null when it has none for this architecture. */
  readonly transformers: string | null;
  /** Name of the model in timm, given only where transformers has no class of its own. */
  readonly timm: string | null;
  /** Whether transformers.js knows the architecture. */
  readonly transformersJs: boolean;
}

/** What an exported folder holds beside the ONNX model and the card. */
export interface Layout {
  readonly config: RawConfig;
  readonly preprocessor: RawConfig;
  readonly tensors: Weights;
  readonly loaders: Loaders;
}

/** Stored in `config.json`: a folder with it may be written anew by an export. */
export const MARK = { exported_by: 'graftml' } as const;

/** True for the `config.json` of a folder that an export has written. */
export function isMarked(config: unknown): boolean {
  return (
    typeof config === 'object' &&
    config !== null &&
    (config as Record<string, unknown>).exported_by === MARK.exported_by
  );
}

/** PyTorch keeps a counter beside running statistics, and strict loaders ask for it. */
function withCounters(tensors: Weights): Weights {
  const out: Weights = new Map(tensors);
  for (const name of tensors.keys()) {
    if (!name.endsWith('.running_mean')) continue;
    const counter = name.replace(/running_mean$/, 'num_batches_tracked');
    out.set(counter, { dtype: 'int64', shape: [], data: new BigInt64Array(1) });
  }
  return out;
}

/**
 * The files of a classifier: Hugging Face's layout, or timm's where transformers lacks the
 * architecture and timm has it.
 */
export function layoutOf(source: KnownClassifier): Layout {
  const { definition, config, weights, preprocess } = source;
  const checkpoint = checkpointOf(source);
  const { architectures, ...fields } = checkpoint.config;
  const [architecture] = Array.isArray(architectures) ? architectures : [];
  const { preprocessor } = checkpoint;
  if (typeof architecture === 'string') {
    return {
      config: { ...checkpoint.config, ...MARK },
      preprocessor,
      tensors: withCounters(weights),
      loaders: { transformers: architecture, timm: null, transformersJs: true },
    };
  }
  const timm = timmName(definition, config);
  if (!timm) {
    return {
      config: { ...fields, ...MARK },
      preprocessor,
      tensors: withCounters(weights),
      loaders: { transformers: null, timm: null, transformersJs: false },
    };
  }
  const head = [...weights].filter(([path]) => definition.roles.head?.test(path));
  const [headName = ''] = renameWeights(definition, timm.scheme, new Map(head)).keys();
  return {
    config: {
      ...timmConfig(timm.architecture, config, preprocess, headName.replace(/\.\w+$/, '')),
      ...MARK,
    },
    preprocessor,
    tensors: withCounters(renameWeights(definition, timm.scheme, weights)),
    loaders: { transformers: null, timm: timm.architecture, transformersJs: false },
  };
}
