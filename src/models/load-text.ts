/** From the files of a checkpoint to a text model with a head and its weights. */
import { ConfigError } from '../errors.js';
import type { TensorType } from '../graph/index.js';
import type { TensorSource } from '../io/index.js';
import { initialize, type Weights } from '../nn/index.js';
import type { CheckpointFiles } from './checkpoint.js';
import type { RawConfig } from './define-model.js';
import type { HeadDefinition, TextConfig, TextModelDefinition } from './define-text-model.js';
import { checkCopies, matchText } from './match-text.js';
import { readMatched, requireMatch } from './match-weights.js';
import { requireUnquantized } from './quantized.js';
import type { TextHead, TextModel } from './text-model.js';
import { loadTextDefinition } from './text-registry.js';

/** A text model, ready for use. */
export interface LoadedTextModel {
  readonly definition: TextModelDefinition;
  readonly config: TextConfig;
  readonly headName: TextHead;
  readonly head: HeadDefinition<TextConfig>;
  readonly model: TextModel;
  /** float32 values of all parameters, by path. */
  readonly weights: Weights;
  /** `config.json` as it was. */
  readonly raw: RawConfig;
  /** `generation_config.json` as it was, for heads that write; absent where there is none. */
  readonly generation?: RawConfig;
  /** Parameters that the checkpoint lacks or that were made for other labels: drawn at random. */
  readonly untrained: readonly string[];
  /** Tensors of the checkpoint that belong to another head. */
  readonly unused: readonly string[];
}

/** What is wanted of a checkpoint. */
export interface LoadTextOptions {
  readonly head: TextHead;
  /** Labels of a head that has classes; absent: the checkpoint's own. */
  readonly labels?: readonly string[];
  readonly problem?: TextConfig['problem'];
  /** Seed of what the checkpoint lacks. Defaults to 0. */
  readonly seed?: number;
  /** Other fields of `config.json`, such as a rate of dropout. */
  readonly overrides?: RawConfig;
}

/**
 * The head of that name.
 * @throws ConfigError when the architecture has no such head, naming those that it has
 */
export function headOf(
  definition: TextModelDefinition,
  head: TextHead,
): HeadDefinition<TextConfig> {
  const found = definition.heads[head];
  if (found) return found;
  const known = Object.keys(definition.heads);
  throw new ConfigError(
    `A ${definition.modelType} has no head for ${head}; it has ${known.join(', ')}. Choose another base.`,
    { modelType: definition.modelType, head, known },
    'no-head',
  );
}

/** Types of a model's parameters, by path. */
function typesOf(model: TextModel): Map<string, TensorType> {
  return new Map([...model.parameters()].map(([path, p]) => [path, p.tensor]));
}

async function readText(
  files: CheckpointFiles,
  source: TensorSource,
  described: Pick<LoadedTextModel, 'definition' | 'config' | 'head' | 'model'>,
  seed: number,
  relabelled: boolean,
): Promise<Pick<LoadedTextModel, 'weights' | 'untrained' | 'unused'>> {
  const { definition, head, model } = described;
  const expected = typesOf(model);
  const match = matchText(definition, head, source.types, expected);
  const isHead = (path: string) => head.parameters?.test(path) ?? false;
  const lacking = match.missing.filter(isHead);
  const absent = new Map(
    Object.entries(definition.absent ?? {}).filter(([path]) => match.missing.includes(path)),
  );
  const what = `${files.name} as a ${definition.modelType}`;
  requireMatch(
    { ...match, missing: match.missing.filter((path) => !isHead(path) && !absent.has(path)) },
    what,
  );
  const read = await readMatched(match, source, expected);
  await checkCopies(match, source, read, what);
  // Logits of other labels mean nothing for these, even where there happen to be as many.
  const outputs = relabelled ? [...expected.keys()].filter((p) => head.outputs?.test(p)) : [];
  const untrained = [...new Set([...lacking, ...outputs])];
  const drawn = initialize(
    model,
    seed,
    (path) => untrained.includes(path) || absent.get(path) === null,
  );
  const weights: Weights = new Map();
  for (const path of expected.keys()) {
    const copied = absent.get(path);
    weights.set(path, drawn.get(path) ?? read.get(copied ?? path)!);
  }
  return { weights, untrained, unused: match.unused };
}

/**
 * Loads a text model from `config.json` and its weights, with the head that is asked for.
 * @throws ConfigError when the architecture or the head is unknown, the configuration is wrong, or says that
 * the weights are quantised
 * @throws WeightsError when the weights do not fit or are no floating-point numbers; parameters of the head that are missing, or were made
 * for other labels, are drawn at random instead
 */
export async function loadTextModel(
  files: CheckpointFiles,
  { head: headName, labels, problem, seed = 0, overrides = {} }: LoadTextOptions,
): Promise<LoadedTextModel> {
  const raw = await files.json('config.json');
  if (typeof raw?.model_type !== 'string') {
    throw new ConfigError(
      `${files.name} has ${raw ? 'a config.json without model_type' : 'no config.json'}, so its architecture is unknown.`,
      { name: files.name },
      'unknown-architecture',
    );
  }
  const definition = await loadTextDefinition(raw.model_type);
  requireUnquantized(raw, files.name);
  const head = headOf(definition, headName);
  const parsed = definition.parse({ ...raw, ...overrides });
  const config: TextConfig = {
    ...parsed,
    ...(labels ? { labels } : {}),
    ...(problem === undefined ? {} : { problem }),
  };
  const model = head.build(config);
  const relabelled = labels !== undefined && labels.join('\n') !== parsed.labels.join('\n');
  const writes = headName === 'causal-lm' || headName === 'seq2seq-lm';
  const generation = writes ? await files.json('generation_config.json') : null;
  const source = await files.tensors();
  try {
    const read = await readText(
      files,
      source,
      { definition, config, head, model },
      seed,
      relabelled,
    );
    const told = generation ? { generation } : {};
    return { definition, config, headName, head, model, raw, ...told, ...read };
  } finally {
    await source.close();
  }
}
