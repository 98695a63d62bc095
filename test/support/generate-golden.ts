/** Golden files of generation (scripts/golden/generate.py): what transformers writes with tiny random models. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { GenerateOptions, GenerativeModel } from '../../src/generate/index.js';
import { hostTensor, sizeOf } from '../../src/graph/index.js';
import { readSafetensors } from '../../src/io/index.node.js';
import { loadTextDefinition } from '../../src/models/index.js';
import { checkWeights, type Weights } from '../../src/nn/index.js';

const folder = fileURLToPath(new URL('../golden/generate/', import.meta.url));

/** Models that there are files of. */
export const GENERATE_GOLDEN = ['gpt2', 'llama', 'mistral', 't5', 'bart', 'marian'] as const;

/** Texts of one model. */
export interface GenerateGolden {
  readonly maxNewTokens: number;
  readonly suppressTokens: readonly number[];
  readonly prompts: readonly (readonly number[])[];
  readonly cases: Readonly<
    Record<string, { readonly options: GenerateOptions; readonly texts: readonly number[][] }>
  >;
}

/** The prompts, the options and the texts. */
export function readGenerateGolden(name: string): GenerateGolden {
  return JSON.parse(readFileSync(`${folder}${name}.json`, 'utf8'));
}

/** The model that wrote them. */
export async function generateGoldenModel(name: string): Promise<GenerativeModel> {
  const { tensors, metadata } = await readSafetensors(`${folder}${name}.safetensors`);
  const definition = await loadTextDefinition(metadata.modelType!);
  const config = definition.parse(JSON.parse(metadata.config!));
  const headName = definition.kind === 'encoder-decoder' ? 'seq2seq-lm' : 'causal-lm';
  const model = definition.heads[headName]!.build(config);
  const flat = tensors.get('weights')!.data as Float32Array;
  const weights: Weights = new Map();
  let at = 0;
  for (const [path, shape] of JSON.parse(metadata.layout!) as [string, number[]][]) {
    const size = sizeOf(shape);
    weights.set(path, hostTensor('float32', shape, flat.slice(at, at + size)));
    at += size;
  }
  checkWeights(model, weights);
  return { definition, config, headName, model, weights };
}
