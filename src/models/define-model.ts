/** How an architecture is declared: one file, one `defineModel`, named as Hugging Face's `model_type`. */
import type { HostTensor } from '../graph/index.js';
import type { Weights } from '../nn/index.js';
import type { ImageClassifier } from './image-classifier.js';
import type { ImagePreprocess } from './preprocess.js';
import type { RenameRule } from './rename.js';

/** A parsed `config.json`; untrusted. */
export type RawConfig = Readonly<Record<string, unknown>>;

/** What every image classifier's configuration holds. */
export interface ImageConfig {
  /** Class names in the order of the logits. */
  readonly labels: readonly string[];
  /** Channels of the input; 3 for colour. */
  readonly channels: number;
}

/** Names that a checkpoint of another library gives to the same tensors. */
export interface NamingScheme {
  /** Tried in turn; the first that fits a name holds. A name that none fits is unexpected. */
  readonly rules: readonly RenameRule[];
  /** Names that such checkpoints hold and the model has no use for. */
  readonly ignored?: RegExp;
}

/** A published configuration. */
export interface Variant<C> {
  readonly config: C;
  readonly preprocess: ImagePreprocess;
}

/** What a part of a model is for; methods ask for roles, never for names. */
export type Role =
  | 'head'
  | 'norm'
  | 'stem'
  /** One matrix for queries, keys and values, as GPT-2's. */
  | 'attention.qkv'
  | 'attention.query'
  | 'attention.key'
  | 'attention.value'
  | 'attention.output'
  | 'mlp';

/** Classes of transformers that read a `preprocessor_config.json` in ways of their own. */
export type ImageProcessor =
  | 'ConvNextImageProcessor'
  | 'DeiTImageProcessor'
  | 'EfficientNetImageProcessor'
  | 'MobileNetV1ImageProcessor'
  | 'MobileNetV2ImageProcessor'
  | 'ViTImageProcessor';

/** Everything there is to know of an architecture. */
export interface ModelDefinition<C extends ImageConfig = ImageConfig> {
  /** Hugging Face's `model_type`, which is also the file's name. */
  readonly modelType: string;
  /** Hugging Face's class, written to `architectures`; null where transformers has none. */
  readonly architecture: string | null;
  /** The image processor that transformers pairs with the model type; null where it has none. */
  readonly processor: ImageProcessor | null;
  /** Reads `config.json`. @throws ConfigError naming the field, what it holds and what it may hold */
  parse(raw: RawConfig): C;
  /**
   * Writes the fields of `config.json` that are the architecture's own, such that Python's
   * transformers loads it; labels, `model_type` and `architectures` are added by `writeConfig`.
   */
  write(config: C): RawConfig;
  build(config: C): ImageClassifier;
  /** What a model of this configuration is fed when its checkpoint does not say. */
  preprocess(config: C): ImagePreprocess;
  /**
   * The configuration and the weights for pictures of another size. Absent where a model takes
   * pictures of any size as it is.
   */
  resize?(
    config: C,
    weights: ReadonlyMap<string, HostTensor>,
    size: { readonly height: number; readonly width: number },
  ): { readonly config: C; readonly weights: Weights };
  /**
   * Naming schemes by library (`torchvision`, `timm`). Hugging Face's names are the model's own
   * and need none.
   */
  readonly schemes: Readonly<Record<string, NamingScheme>>;
  /** Paths of parameters by role. */
  readonly roles: Readonly<Partial<Record<Role, RegExp>>>;
  /** Configurations by the name that timm or torchvision gives them. */
  readonly variants: Readonly<Record<string, Variant<C>>>;
  readonly source: { readonly paper: string; readonly code: string };
}

/** Declares an architecture. */
export function defineModel<C extends ImageConfig>(
  definition: ModelDefinition<C>,
): ModelDefinition<C> {
  return definition;
}
