/** From hidden states of tokens to an embedding of a text, as the files of sentence-transformers say. */
import { ConfigError } from '../errors.js';
import type { Tensor } from '../graph/index.js';
import { cast, div, maximum, mul, reshape, slice, sqrt, sum } from '../ops/index.js';

/** How a text's embedding is made of its tokens'. */
export interface Pooling {
  /** The mean over its tokens, or the first token. */
  readonly mode: 'mean' | 'cls';
  /** Whether embeddings are brought to length 1. */
  readonly normalize: boolean;
}

/** What is used where a base says nothing: Reimers and Gurevych, "Sentence-BERT", 2019, found it to be best. */
export const DEFAULT_POOLING: Pooling = { mode: 'mean', normalize: true };

/** Mean of the hidden states [rows, tokens, width] of the tokens that `mask` shows, [rows, width]. */
export function meanPooled(hidden: Tensor, mask: Tensor): Tensor {
  const seen = reshape(cast(mask, 'float32'), [...mask.shape, 1]);
  return div(sum(mul(hidden, seen), { axes: 1 }), maximum(sum(seen, { axes: 1 }), 1));
}

/** Hidden states [rows, tokens, width], padded on the right, as one vector a row, [rows, width]; not yet of length 1. */
export function pooled(hidden: Tensor, mask: Tensor, mode: Pooling['mode']): Tensor {
  if (mode === 'mean') return meanPooled(hidden, mask);
  const [rows, , width] = hidden.shape as [number, number, number];
  return reshape(slice(hidden, { starts: [0], ends: [1], axes: [1] }), [rows, width]);
}

/** Rows [rows, width] of length 1. */
export function unitRows(x: Tensor): Tensor {
  return div(x, maximum(sqrt(sum(mul(x, x), { axes: 1, keepDims: true })), 1e-12));
}

type Fields = Readonly<Record<string, unknown>>;

/** What the files of a folder say of its pooling, not looked at yet. */
export interface PoolingModules {
  readonly modules: readonly Fields[];
  /** `config.json` of modules that have one, by their paths. */
  readonly configs: ReadonlyMap<string, Fields>;
}

/** Older releases of sentence-transformers write a flag for each way, with these names. */
const FLAG = /^pooling_mode_(.+?)(?:_tokens?)?$/;

/** The ways of pooling that a file names. */
function modesIn(fields: Fields): string[] {
  const { pooling_mode: named } = fields;
  if (Array.isArray(named)) return named.map(String);
  if (typeof named === 'string') return [named];
  const on = Object.keys(fields).filter((name) => fields[name] === true && FLAG.test(name));
  return on.length > 0 ? on.map((name) => FLAG.exec(name)![1]!) : ['mean'];
}

const kindOf = ({ type }: Fields): string => String(type).split('.').at(-1)!;

/**
 * Reads `modules.json` of a folder, and the files of the modules that pool.
 * @param text gives a file of the folder, or of one within, as text; null where it is not there
 * @returns null where the folder has no `modules.json`
 */
export async function readPoolingModules(
  text: (name: string, folder?: string) => Promise<string | null>,
): Promise<PoolingModules | null> {
  const file = await text('modules.json');
  if (file === null) return null;
  const parsed = JSON.parse(file) as unknown;
  const modules = Array.isArray(parsed) ? (parsed as Fields[]) : [];
  const configs = new Map<string, Fields>();
  for (const module of modules) {
    // A name of a folder, and no way out of this one.
    const path = String(module.path);
    if (kindOf(module) !== 'Pooling' || !/^\w[\w.-]*$/.test(path)) continue;
    const config = await text('config.json', path);
    if (config !== null) configs.set(path, JSON.parse(config) as Fields);
  }
  return { modules, configs };
}

/**
 * The pooling that the files of a folder speak of; {@link DEFAULT_POOLING} where there are none.
 * @param name what the folder is called in messages
 * @throws ConfigError `pooling` for another pooling than of the mean or the first token, several at once, or a module
 *   that makes other embeddings of them (Dense)
 */
export function poolingOf(found: PoolingModules | null, name: string): Pooling {
  if (!found) return DEFAULT_POOLING;
  const refuse = (what: string): never => {
    throw new ConfigError(
      `${name} ${what}. Its embeddings can be the mean over the tokens (mean) or the first one (cls), perhaps of length 1 (Normalize); anything else would give others than it was trained for. Choose another base, or remove its modules.json to begin anew with the mean.`,
      { name },
      'pooling',
    );
  };
  let pooling: Pooling | null = null as Pooling | null;
  for (const module of found.modules) {
    const kind = kindOf(module);
    if (kind === 'Transformer') continue;
    if (kind === 'Normalize' && pooling) {
      pooling = { ...pooling, normalize: true };
      continue;
    }
    if (kind !== 'Pooling' || pooling) refuse(`has a module ${kind} in its modules.json`);
    const config = found.configs.get(String(module.path));
    if (!config) refuse(`lacks ${module.path}/config.json, which says how it pools its tokens`);
    const [mode, ...more] = modesIn(config!);
    if (more.length > 0) refuse(`pools its tokens in several ways (${[mode, ...more].join(', ')})`);
    if (mode !== 'mean' && mode !== 'cls') refuse(`pools its tokens by ${mode}`);
    pooling = { mode: mode as Pooling['mode'], normalize: false };
  }
  return pooling ?? refuse('has no module Pooling in its modules.json');
}

/**
 * The files by which sentence-transformers makes the same embeddings, by their paths.
 * @param width of an embedding
 * @param maxTokens of a text; absent: as the tokenizer says
 */
export function poolingFiles(
  { mode, normalize }: Pooling,
  width: number,
  maxTokens?: number,
): ReadonlyMap<string, unknown> {
  const module = (idx: number, path: string, kind: string) => ({
    idx,
    name: String(idx),
    path,
    type: `sentence_transformers.models.${kind}`,
  });
  return new Map<string, unknown>([
    [
      'modules.json',
      [
        module(0, '', 'Transformer'),
        module(1, '1_Pooling', 'Pooling'),
        ...(normalize ? [module(2, '2_Normalize', 'Normalize')] : []),
      ],
    ],
    ...(maxTokens === undefined
      ? []
      : [
          [
            'sentence_bert_config.json',
            { max_seq_length: maxTokens, do_lower_case: false },
          ] as const,
        ]),
    [
      '1_Pooling/config.json',
      {
        word_embedding_dimension: width,
        pooling_mode_cls_token: mode === 'cls',
        pooling_mode_mean_tokens: mode === 'mean',
        pooling_mode_max_tokens: false,
        pooling_mode_mean_sqrt_len_tokens: false,
      },
    ],
  ]);
}
