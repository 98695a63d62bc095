/** Architectures by name, loaded when they are asked for. */
import { ConfigError } from '../errors.js';
import { didYouMean } from '../util/index.js';
import type { ImageConfig, ModelDefinition, Variant } from './define-model.js';
import { ARCHITECTURES } from './registry.gen.js';

/** All model types, in alphabetical order. */
export function modelTypes(): string[] {
  return Object.keys(ARCHITECTURES).sort();
}

/**
 * The definition of an architecture.
 * @param modelType Hugging Face's `model_type`
 * @throws ConfigError when there is none, with the nearest name
 */
export async function loadDefinition(modelType: string): Promise<ModelDefinition> {
  const known = modelTypes();
  if (!Object.hasOwn(ARCHITECTURES, modelType)) {
    throw new ConfigError(
      `There is no architecture '${modelType}'.${didYouMean(modelType, known)} Known are ${known.join(', ')}.`,
      { modelType, known },
      'unknown-architecture',
    );
  }
  const { default: definition } = await ARCHITECTURES[modelType as keyof typeof ARCHITECTURES]();
  return definition;
}

/** A published configuration with its architecture. */
export interface FoundVariant {
  /** The name, without timm's tag of the training recipe. */
  readonly name: string;
  readonly definition: ModelDefinition;
  readonly variant: Variant<ImageConfig>;
}

/** All published configurations. */
export async function allVariants(): Promise<FoundVariant[]> {
  const definitions = await Promise.all(modelTypes().map(loadDefinition));
  return definitions.flatMap((definition) =>
    Object.entries(definition.variants).map(([name, variant]) => ({ name, definition, variant })),
  );
}

/**
 * A published configuration by the name that timm or torchvision gives it, such as `resnet50` or
 * timm's `resnet50.a1_in1k`.
 * @throws ConfigError when there is none, with the nearest name
 */
export async function findVariant(name: string): Promise<FoundVariant> {
  const variants = await allVariants();
  const bare = name.replace(/\..*$/s, '');
  const found = variants.find((v) => v.name === bare);
  if (found) return found;
  const names = variants.map((v) => v.name);
  throw new ConfigError(
    `There is no published configuration '${name}'.${didYouMean(bare, names)} Known are ${names.join(', ')}.`,
    { name, known: names },
    'unknown-variant',
  );
}
