/** What a run knows for the card of its model. */
import { basename } from 'node:path';
import type { CardFacts, Loaders } from '../export/index.js';
import type { RunRecord } from './run-folder.js';

/** Base, data, method, what was reached, and how to repeat it. */
export function cardFacts({ choices, data, model, result, command }: RunRecord): CardFacts {
  const license = model.source?.license;
  return {
    base: { name: choices.base, ...(license ? { license } : {}) },
    method: choices.method,
    data: {
      name: basename(choices.data),
      trainingSamples: data.train,
      validationSamples: data.valid,
    },
    metrics: result?.metrics ?? {},
    command,
  };
}

/** Who loads an exported folder, for people. */
export function loadersNote(
  { transformers, timm, transformersJs }: Loaders,
  onnx: readonly string[],
): string {
  const readers = [
    transformers && `transformers (${transformers})`,
    timm && `timm (${timm})`,
    transformersJs && 'transformers.js',
    `ONNX Runtime (${onnx.join(', ')})`,
  ].filter((r) => typeof r === 'string');
  return `loads in ${readers.join(', ')}`;
}
