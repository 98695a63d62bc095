/** Which tensors of a checkpoint are which parameters of a model, and what does not fit. */
import { WeightsError } from '../errors.js';
import {
  formatType,
  fromFloat16Bits,
  type HostTensor,
  isFloat,
  sameShape,
  type TensorType,
} from '../graph/index.js';
import type { TensorSource } from '../io/index.js';
import type { Weights } from '../nn/index.js';
import type { ModelDefinition, NamingScheme } from './define-model.js';
import { type Renamed, Renaming, SAME_NAMES } from './rename.js';
import { shapeOfTheirs, valuesToOurs, valuesToTheirs } from './reshape-weights.js';

/** Counters that PyTorch keeps beside running statistics; nothing is computed from them. */
const ALWAYS_IGNORED = /(^|\.)num_batches_tracked$/;

/** What wrappers put before every name: parallel training, compilation, transformers' timm models. */
const WRAPPERS = ['', 'module.', '_orig_mod.', 'timm_model.', 'model.'];

/** Names of tensors shown in a message; the error's data has all of them. */
const SHOWN = 20;

/** Tensors of a checkpoint set against a model's parameters under one naming scheme. */
export interface WeightsMatch {
  /** Name of the scheme, such as `huggingface` or `torchvision`. */
  readonly scheme: string;
  readonly moves: readonly (Renamed & { readonly source: string })[];
  /** The tensor of each parameter that has one, right or misshapen. */
  readonly sources: ReadonlyMap<string, string>;
  /** Parameters that the checkpoint lacks. */
  readonly missing: readonly string[];
  /** Tensors that the model has no use for, by their own names. */
  readonly unexpected: readonly string[];
  /** Tensors of another shape or of no floating-point type, a sentence each. */
  readonly misshapen: readonly string[];
}

/**
 * All naming schemes of an architecture: the model's own names, which are Hugging Face's or, where
 * transformers has no such model, torchvision's; the declared ones; those of headless models.
 */
export function schemesOf(definition: ModelDefinition): Record<string, NamingScheme> {
  return {
    [definition.architecture ? 'huggingface' : 'torchvision']: { rules: SAME_NAMES },
    ...definition.schemes,
    ...(definition.architecture && {
      'huggingface-base': {
        rules: [{ theirs: '{*}', ours: `${definition.modelType}.{*}` }],
        ignored: /^pooler\./,
      },
    }),
  };
}

function matchScheme(
  name: string,
  { rules, ignored }: NamingScheme,
  prefix: string,
  types: ReadonlyMap<string, TensorType>,
  expected: ReadonlyMap<string, TensorType>,
): WeightsMatch {
  const renaming = new Renaming(rules);
  const moves: (Renamed & { source: string })[] = [];
  const unexpected: string[] = [];
  const misshapen: string[] = [];
  const sources = new Map<string, string>();
  for (const [source, type] of types) {
    const bare = source.slice(prefix.length);
    if (ALWAYS_IGNORED.test(bare) || ignored?.test(bare)) continue;
    const renamed = renaming.toOurs(bare);
    const wanted = renamed?.ours.map((path) => expected.get(path));
    if (!renamed || !wanted?.every((t) => t !== undefined)) {
      unexpected.push(source);
      continue;
    }
    for (const path of renamed.ours) sources.set(path, source);
    const shape = shapeOfTheirs(
      renamed.rule,
      wanted.map((t) => t.shape),
    );
    if (sameShape(shape, type.shape) && isFloat(type.dtype)) moves.push({ ...renamed, source });
    else {
      const want = formatType({ dtype: 'float32', shape });
      misshapen.push(`${source} is ${formatType(type)}, expected ${want}`);
    }
  }
  const missing = [...expected.keys()].filter((path) => !sources.has(path));
  return { scheme: name, moves, sources, missing, unexpected, misshapen };
}

/**
 * Finds the scheme under which most tensors fit; of equals, the first.
 * @param expected types of the model's parameters, by path
 */
export function matchWeights(
  definition: ModelDefinition,
  types: ReadonlyMap<string, TensorType>,
  expected: ReadonlyMap<string, TensorType>,
): WeightsMatch {
  let best: WeightsMatch | undefined;
  let most = -1;
  for (const prefix of WRAPPERS) {
    if (![...types.keys()].every((name) => name.startsWith(prefix))) continue;
    for (const [name, scheme] of Object.entries(schemesOf(definition))) {
      const match = matchScheme(name, scheme, prefix, types, expected);
      // A tensor of the right name counts even if its shape is wrong: the message is then about shapes.
      const score = 2 * match.moves.length + match.misshapen.length;
      if (score > most) {
        best = match;
        most = score;
      }
    }
  }
  return best!;
}

function listed(names: readonly string[]): string {
  const rest = names.length - SHOWN;
  return `${names.slice(0, SHOWN).join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`;
}

/**
 * Refuses a checkpoint that does not fit.
 * @param what the checkpoint and the model, for the message
 * @throws WeightsError with every missing, unexpected and misshapen tensor in its data
 */
export function requireMatch(match: WeightsMatch, what: string): void {
  const { scheme, moves, missing, unexpected, misshapen } = match;
  if (missing.length + unexpected.length + misshapen.length === 0) return;
  const parts = [
    missing.length ? `Missing (${missing.length}): ${listed(missing)}.` : '',
    unexpected.length ? `Unexpected (${unexpected.length}): ${listed(unexpected)}.` : '',
    misshapen.length ? `Other type (${misshapen.length}): ${listed(misshapen)}.` : '',
  ];
  throw new WeightsError(
    `${what}: the weights do not fit (${moves.length} tensors do, by the names of ${scheme}). ${parts.filter(Boolean).join(' ')} Is it a checkpoint of this architecture and size?`,
    { scheme, missing, unexpected, misshapen },
    { code: 'weights-mismatch' },
  );
}

/** Any floating-point tensor as float32, in memory of its own where it was converted. */
export function toFloat32(tensor: HostTensor): HostTensor {
  const { dtype, shape, data } = tensor;
  if (dtype === 'float32') return tensor;
  const out = new Float32Array(data.length);
  for (let i = 0; i < out.length; i++) {
    out[i] = dtype === 'float16' ? fromFloat16Bits(Number(data[i])) : Number(data[i]);
  }
  return { dtype: 'float32', shape, data: out };
}

/** Reads the matched tensors, one after the other, as float32 under the paths of the model. */
export async function readMatched(
  match: WeightsMatch,
  source: TensorSource,
  expected: ReadonlyMap<string, TensorType>,
): Promise<Weights> {
  const read: Weights = new Map();
  for (const { source: name, ours, rule } of match.moves) {
    const tensor = toFloat32(await source.read(name));
    const types = ours.map((path) => expected.get(path)!);
    for (const [i, part] of valuesToOurs(rule, tensor, types).entries()) read.set(ours[i]!, part);
  }
  return new Map([...expected.keys()].flatMap((p) => (read.has(p) ? [[p, read.get(p)!]] : [])));
}

/**
 * Weights under the names of another library, e.g. for a file that torchvision loads.
 * @throws WeightsError when the scheme has no name for a parameter
 */
export function renameWeights(
  definition: ModelDefinition,
  scheme: string,
  weights: ReadonlyMap<string, HostTensor>,
): Weights {
  const found = schemesOf(definition)[scheme];
  if (!found) {
    throw new WeightsError(
      `A ${definition.modelType} has no naming scheme '${scheme}'; there are ${Object.keys(schemesOf(definition)).join(', ')}.`,
    );
  }
  const renaming = new Renaming(found.rules);
  const out: Weights = new Map();
  for (const path of weights.keys()) {
    const renamed = renaming.toTheirs(path);
    const parts = renamed?.ours.map((p) => weights.get(p));
    if (!renamed || !parts?.every((p) => p !== undefined)) {
      throw new WeightsError(
        `The scheme ${scheme} of ${definition.modelType} has no name for ${path}.`,
      );
    }
    if (!out.has(renamed.theirs)) out.set(renamed.theirs, valuesToTheirs(renamed.rule, parts));
  }
  return out;
}
