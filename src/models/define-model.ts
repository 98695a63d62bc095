/** How an architecture is declared: one file, one `defineModel`, named as Hugging Face's `model_type`. */
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
  | 'attention.query'
  | 'attention.key'
  | 'attention.value'
  | 'attention.output'
  | 'mlp';

/** Everything there is to know of an architecture. */
export interface ModelDefinition<C extends ImageConfig = ImageConfig> {
  /** Hugging Face's `model_type`, which is also the file's name. */
  readonly modelType: string;
  /** Hugging Face's class, written to `architectures`; null where transformers has none. */
  readonly architecture: string | null;
  /** Reads `config.json`. @throws ConfigError naming the field, what it holds and what it may hold */
  readonly parse: (raw: RawConfig) => C;
  /** Writes `config.json` such that Python's transformers loads it; the inverse of `parse`. */
  readonly write: (config: C) => RawConfig;
  readonly build: (config: C) => ImageClassifier;
  /** The same configuration for other classes. */
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
