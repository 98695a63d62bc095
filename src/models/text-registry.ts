/** Text architectures by name, loaded when they are asked for. */
import { ConfigError } from '../errors.js';
import { didYouMean } from '../util/index.js';
import type { TextModelDefinition } from './define-text-model.js';
import { TEXT_ARCHITECTURES } from './registry.gen.js';

/** All model types of text, in alphabetical order. */
export function textModelTypes(): string[] {
  return Object.keys(TEXT_ARCHITECTURES).sort();
}

/** Whether there is a text architecture of this name. */
export function isTextModelType(modelType: unknown): modelType is string {
  return typeof modelType === 'string' && Object.hasOwn(TEXT_ARCHITECTURES, modelType);
}

/**
 * The definition of a text architecture.
 * @param modelType Hugging Face's `model_type`
 * @throws ConfigError when there is none, with the nearest name
 */
export async function loadTextDefinition(modelType: string): Promise<TextModelDefinition> {
  const known = textModelTypes();
  if (!isTextModelType(modelType)) {
    throw new ConfigError(
      `There is no text architecture '${modelType}'.${didYouMean(modelType, known)} Known are ${known.join(', ')}.`,
      { modelType, known },
      'unknown-architecture',
    );
  }
  const load = TEXT_ARCHITECTURES[modelType as keyof typeof TEXT_ARCHITECTURES];
  return (await load()).default as TextModelDefinition;
}
