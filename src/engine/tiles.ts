/**
 * Runs of elementwise operations, tile by tile. ONNX Runtime on the CPU computes one node over the
 * whole tensor before the next begins, so a chain of them reads and writes main memory once a node.
 * Here such a chain becomes the body of a Scan over tiles that stay in the cache: main memory is
 * read once an input and written once. The backward pass of a gelu over 6 million elements took a
 * quarter of the time.
 */
import {
  constantOf,
  constantValue,
  defineOp,
  type GraphBody,
  hostTensor,
  input,
  type Node,
  noGrad,
  type Shape,
  sameShape,
  type Tensor,
  type TensorType,
  toposort,
} from '../graph/index.js';
import { expandOp, reshape } from '../ops/index.js';

/**
 * Elements of a tile for each thread: ONNX Runtime leaves a node of half as many to one thread as often as not, so that two
 * threads took twice as long for smaller tiles as without any.
 */
const TILE_PER_THREAD = 131072;
/** Fewer tiles than this lie in the level-3 cache anyway, and are not worth the fixed cost of a Scan. */
const MIN_TILES = 16;
/** Least part of the wanted size that a tile has: a tensor without such a divisor is left whole. */
const LEAST_TILE = 0.75;
/** Tiles from which a tensor surely does not stay in a cache between two nodes. */
const MANY_TILES = 32;

/**
 * Memory passes from which a chain of a tensor of so many tiles gains. Two may be a pattern that
 * ONNX Runtime fuses by itself; a tensor that lies in a cache anyway gains less.
 */
function minPasses(tiles: number): number {
  return tiles >= MANY_TILES ? 3 : 5;
}

/** How {@link tileElementwise} cuts. */
export interface TileOptions {
  /** Most elements of a tile. */
  readonly tile: number;
}

/** The tile for a runtime with so many threads. */
export function tileFor(threads: number): number {
  return TILE_PER_THREAD * threads;
}

interface TiledAttrs {
  /** The chain on one tile: placeholders of rank 1 for tensors and of rank 0 for scalars. */
  readonly body: GraphBody;
  readonly tiles: number;
  /** Of each result: [tiles, tile]. */
  readonly types: readonly TensorType[];
}

/** A chain of elementwise operations on tensors of one shape and scalars. */
const tiledOp = defineOp<TiledAttrs>({
  name: 'tiled',
  infer: (_, { types }) => types,
  grad: noGrad('Tiles are made after differentiation.'),
  onnx: (emit, { inputs, attrs: { body, tiles, types } }) => {
    const whole: string[] = [];
    const captured = new Map<Tensor, string>();
    for (const [i, t] of inputs.entries()) {
      const placeholder = body.inputs[i]!;
      if (placeholder.rank === 0) captured.set(placeholder, emit.name(t));
      else whole.push(emit.one('Reshape', [emit.name(t), emit.ints([tiles, placeholder.size])]));
    }
    const attrs = {
      body: { graph: emit.subgraph(body, captured) },
      num_scan_inputs: { int: whole.length },
    };
    return emit.node('Scan', whole, attrs, { outputs: types.length });
  },
});

/** The largest divisor of `size` that is a tile; null when there is none of a useful size, or too few of them. */
function tileOf(size: number, most: number): number | null {
  for (let tile = Math.min(most, Math.floor(size / MIN_TILES)); tile >= LEAST_TILE * most; tile--) {
    if (size % tile === 0) return tile;
  }
  return null;
}

/** The one element that a tensor repeats, when it is known to do so. */
function scalarOf(t: Tensor): Tensor | null {
  if (t.size === 1) return t;
  if (t.node.op !== (expandOp as unknown)) return null;
  const source = t.node.inputs[0]!;
  return source.size === 1 ? source : null;
}

function isElementwise({ op, outputs, inputs }: Node): boolean {
  if (!op.spec.elementwise || outputs.length !== 1 || inputs.length === 0) return false;
  const { shape } = outputs[0]!;
  const whole = inputs.filter((t) => scalarOf(t) === null);
  return whole.length > 0 && whole.every((t) => sameShape(t.shape, shape));
}

/**
 * Groups of nodes of which only the last one's result is read by nodes outside, each in topological
 * order. No path can leave such a group and come back, so it can run as one node. Results of the
 * graph may lie inside: an optimizer's new moments do.
 */
function chainsOf(order: readonly Node[], most: number): Node[][] {
  const consumers = new Map<Tensor, Node[]>();
  for (const node of order) {
    for (const t of node.inputs) {
      const list = consumers.get(t);
      if (list) list.push(node);
      else consumers.set(t, [node]);
    }
  }
  const chains = new Map<Node, Node[]>();
  for (const node of [...order].reverse()) {
    if (!isElementwise(node) || tileOf(node.outputs[0]!.size, most) === null) continue;
    const out = node.outputs[0]!;
    const readers = consumers.get(out) ?? [];
    const chain = readers[0] && chains.get(readers[0]);
    const inner = chain && readers.every((r) => chains.get(r) === chain);
    if (inner) chain.push(node);
    chains.set(node, inner ? chain : [node]);
  }
  const gains = (chain: Node[]) => {
    const passes = chain.reduce((total, node) => total + (node.op.spec.passes ?? 1), 0);
    return passes >= minPasses(chain[0]!.outputs[0]!.size / most);
  };
  return [...new Set(chains.values())].filter(gains).map((chain) => chain.reverse());
}

/**
 * One node that does what `chain` does; `get` gives what stands for an outer tensor. Returns what
 * stands for each of `wanted`, which are results of the chain's nodes.
 */
function tiled(
  chain: readonly Node[],
  wanted: readonly Tensor[],
  most: number,
  get: (t: Tensor) => Tensor,
): Tensor[] {
  const out = chain.at(-1)!.outputs[0]!;
  const tile = tileOf(out.size, most)!;
  const inside = new Map<Tensor, Tensor>();
  const outer: Tensor[] = [];
  const placeholders: Tensor[] = [];
  const placeholderOf = (t: Tensor, shape: Shape): Tensor => {
    const made = input(`tile${placeholders.length}`, t.dtype, shape);
    placeholders.push(made);
    outer.push(reshape(get(t), shape.length === 0 ? [] : t.shape));
    return made;
  };
  const within = (t: Tensor): Tensor => {
    let made = inside.get(t);
    if (made) return made;
    const scalar = scalarOf(t);
    const value = scalar && constantValue(scalar);
    if (value) made = constantOf(hostTensor(value.dtype, [], value.data));
    else made = scalar ? placeholderOf(scalar, []) : placeholderOf(t, [tile]);
    inside.set(t, made);
    return made;
  };
  for (const node of chain) {
    inside.set(node.outputs[0]!, node.op.one(node.inputs.map(within), node.attrs));
  }
  const body = { inputs: placeholders, outputs: wanted.map((t) => inside.get(t)!) };
  const tiles = out.size / tile;
  const types = wanted.map(({ dtype }) => ({ dtype, shape: [tiles, tile] }));
  const made = tiledOp.apply(outer, { body, tiles, types });
  return made.map((t, i) => reshape(t, wanted[i]!.shape));
}

/**
 * The graph of `outputs` with long chains of elementwise operations on large tensors made into
 * tiled nodes. Each element goes through the same kernels, so the values are the same.
 */
export function tileElementwise(outputs: readonly Tensor[], { tile }: TileOptions): Tensor[] {
  const order = toposort(outputs);
  const chains = chainsOf(order, tile);
  if (chains.length === 0) return [...outputs];
  const chainOf = new Map(chains.flatMap((chain) => chain.map((node) => [node, chain] as const)));
  const map = new Map<Tensor, Tensor>();
  const get = (t: Tensor) => map.get(t) ?? t;
  const results = new Set(outputs);
  for (const node of order) {
    const chain = chainOf.get(node);
    if (chain) {
      if (node !== chain.at(-1)) continue;
      const wanted = chain
        .map((inner) => inner.outputs[0]!)
        .filter((t) => results.has(t) || t === node.outputs[0]);
      for (const [i, t] of tiled(chain, wanted, tile, get).entries()) map.set(wanted[i]!, t);
    } else if (node.inputs.some((t) => get(t) !== t)) {
      const made = node.op.apply(node.inputs.map(get), node.attrs);
      for (const [i, t] of node.outputs.entries()) map.set(t, made[i]!);
    }
  }
  return outputs.map(get);
}

/** Number of tiled nodes in the graph of `outputs`. */
export function tiledCount(outputs: readonly Tensor[]): number {
  return toposort(outputs).filter((node) => node.op === (tiledOp as unknown)).length;
}
