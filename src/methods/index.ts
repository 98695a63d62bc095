/** Transfer methods, by name. */
import { ConfigError } from '../errors.js';
import { didYouMean } from '../util/index.js';
import type { MethodDefinition } from './define-method.js';
import featureExtraction from './inductive/feature-extraction.js';
import fineTune from './inductive/fine-tune.js';
import gradualUnfreezing from './inductive/gradual-unfreezing.js';
import scratch from './inductive/scratch.js';

export * from './define-method.js';
export { featureExtraction, fineTune, gradualUnfreezing, scratch };

const methods: readonly MethodDefinition[] = [
  featureExtraction,
  fineTune,
  gradualUnfreezing,
  scratch,
];

/** All methods. */
export function listMethods(): readonly MethodDefinition[] {
  return methods;
}

/**
 * A method by name.
 * @throws ConfigError naming a near one and all
 */
export function findMethod(name: string): MethodDefinition {
  const found = methods.find((m) => m.name === name);
  if (found) return found;
  const names = methods.map((m) => m.name);
  throw new ConfigError(
    `There is no method '${name}'.${didYouMean(name, names)} There are: ${names.join(', ')}.`,
    { method: name, methods: names },
  );
}
