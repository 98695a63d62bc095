/** Which tensors of a text checkpoint are which parameters of a model, and what of its trunk has no place. */
import { WeightsError } from '../errors.js';
import { formatType, isFloat, sameShape, type TensorType } from '../graph/index.js';
import type { TensorSource } from '../io/index.js';
import type { Weights } from '../nn/index.js';
import type { HeadDefinition, TextConfig, TextModelDefinition } from './define-text-model.js';
import { toFloat32, type WeightsMatch } from './match-weights.js';

/** Legacy names of layer norms, from before transformers 1.0. */
const LEGACY: readonly (readonly [RegExp, string])[] = [
  [/\bgamma$/, 'weight'],
  [/\bbeta$/, 'bias'],
];

/** Names that wrappers for parallel training and compilation put first. */
const WRAPPER = /^(?:module\.|_orig_mod\.)+/;

/** A tensor's name as the architecture's newest checkpoints have it. */
function bareName(name: string, { renames = [] }: TextModelDefinition): string {
  let bare = name.replace(WRAPPER, '');
  for (const [from, to] of [...LEGACY, ...renames]) bare = bare.replace(from, to);
  return bare;
}

/** The parameter that a tensor of this bare name is; null when it is none. */
function pathOf(
  bare: string,
  prefix: string,
  expected: ReadonlyMap<string, TensorType>,
): string | null {
  const inner = bare.startsWith(`${prefix}.`) ? bare.slice(prefix.length + 1) : null;
  const candidates = [bare, `${prefix}.${bare}`, ...(inner === null ? [] : [inner])];
  return candidates.find((c) => expected.has(c)) ?? null;
}

/**
 * Tells names of the trunk's tensors, with its prefix or, as headless models save them, without: a name then
 * begins with the field of one of the trunk's parts.
 */
function trunkNames(
  prefix: string,
  head: HeadDefinition<TextConfig>,
  expected: ReadonlyMap<string, TensorType>,
): (bare: string) => boolean {
  const under = [...expected.keys()].filter((path) => path.startsWith(`${prefix}.`));
  const own = under.map((path) => path.slice(prefix.length + 1));
  // T5 keeps its stacks beside the head.
  const beside = [...expected.keys()].filter((path) => !head.parameters?.test(path));
  const fields = new Set((own.length > 0 ? own : beside).map((path) => path.split('.')[0]!));
  return (bare) => bare.startsWith(`${prefix}.`) || fields.has(bare.split('.')[0]!);
}

/** Tensors of a text checkpoint set against a model's parameters. */
export interface TextMatch extends WeightsMatch {
  /** Tensors of other heads. */
  readonly unused: readonly string[];
  /** Tensors that are to hold what one that was found before them holds. */
  readonly copies: readonly { readonly path: string; readonly source: string }[];
}

/**
 * Sets the tensors of a checkpoint against the parameters of a model. A tensor of the trunk that has no place is
 * `unexpected`: the configuration then describes another model than the weights are of.
 * @param expected types of the model's parameters, by path
 */
export function matchText(
  definition: TextModelDefinition,
  head: HeadDefinition<TextConfig>,
  types: ReadonlyMap<string, TensorType>,
  expected: ReadonlyMap<string, TensorType>,
): TextMatch {
  const { prefix, ignored, spare } = definition;
  const ofTrunk = trunkNames(prefix, head, expected);
  const sources = new Map<string, string>();
  const [misshapen, unexpected, unused]: [string[], string[], string[]] = [[], [], []];
  const copies: { path: string; source: string }[] = [];
  const moves: WeightsMatch['moves'][number][] = [];
  for (const [source, type] of types) {
    const bare = bareName(source, definition);
    // Names are replaced where they are no parameter's own.
    const path =
      pathOf(source.replace(WRAPPER, ''), prefix, expected) ?? pathOf(bare, prefix, expected);
    if (path === null) {
      if (ignored?.test(bare)) continue;
      (ofTrunk(bare) && !spare?.test(bare) ? unexpected : unused).push(source);
      continue;
    }
    const want = expected.get(path)!;
    const sameSize = sameShape(want.shape, type.shape);
    // Other labels: what was made for the old ones is drawn anew.
    if (!sameSize && head.outputs?.test(path)) continue;
    if (sameSize && isFloat(type.dtype) && sources.has(path)) {
      copies.push({ path, source });
      continue;
    }
    sources.set(path, source);
    if (!sameSize) {
      misshapen.push(`${source} is [${type.shape}], expected [${want.shape}]`);
    } else if (!isFloat(type.dtype)) {
      misshapen.push(`${source} is ${formatType(type)}, expected ${formatType(want)}`);
    } else {
      moves.push({ source, ours: [path], theirs: source, rule: { theirs: source, ours: path } });
    }
  }
  const missing = [...expected.keys()].filter((path) => !sources.has(path));
  return { scheme: 'huggingface', moves, sources, missing, unexpected, misshapen, unused, copies };
}

/** @throws WeightsError when a table that the model has once is there twice, with other values */
export async function checkCopies(
  { copies, sources }: TextMatch,
  source: TensorSource,
  read: Weights,
  what: string,
): Promise<void> {
  for (const { path, source: name } of copies) {
    const kept = read.get(path)!.data;
    const other = toFloat32(await source.read(name)).data;
    if (kept.every((value, i) => value === other[i])) continue;
    const names = [sources.get(path)!, name];
    throw new WeightsError(
      `${what}: ${names.join(' and ')} differ, and the model has one table in their place. Models whose tables were not tied (tie_word_embeddings false) are not known here; choose another base.`,
      { path, names },
      { code: 'weights-mismatch' },
    );
  }
}
