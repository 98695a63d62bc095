/**
 * Checkpointing: what a marked region computes is not kept for the backward pass but computed
 * again there, from the region's inputs. It trades one more forward pass for memory.
 */
import {
  cloneNode,
  constantOp,
  defineOp,
  type GradContext,
  input,
  inputOp,
  isFloat,
  type Node,
  nextNodeId,
  type Op,
  substitute,
  type Tensor,
  zeroGrad,
} from '../graph/index.js';
import { onnxDType } from '../ops/index.js';
import { vjp } from './grad.js';

/** An int64 0 that is known only once all inputs are: a sum of x[0] < x[0], NaN or not. */
export const zeroAfterOp = defineOp<undefined>({
  name: 'zeroAfter',
  infer: () => ({ dtype: 'int64', shape: [] }),
  grad: zeroGrad('it is always 0'),
  onnx: (emit, { inputs }) =>
    inputs
      .map((x) => {
        const flat = emit.one('Reshape', [emit.name(x), emit.ints([-1])]);
        const first = emit.one('Gather', [flat, emit.scalar('int64', 0)]);
        const never = emit.one('Less', [first, first]);
        return emit.one('Cast', [never], { to: { int: onnxDType('int64') } });
      })
      .reduce((sum, zero) => emit.one('Add', [sum, zero])),
});

/**
 * x, not before `zero` is known: a reshape to x's own shape plus 0, which copies nothing and which
 * no optimizer sees through. dx = dy.
 */
export const delayOp = defineOp<undefined>({
  name: 'delay',
  infer: ([x]) => ({ dtype: x!.dtype, shape: x!.shape }),
  grad: ({ dy }) => [dy, null],
  onnx: (emit, { inputs: [x, zero] }) => {
    const shape = emit.one('Add', [emit.ints(x!.shape), emit.name(zero!)]);
    const y = emit.one('Reshape', [emit.name(x!), shape], { allowzero: { int: 1 } });
    // With its shape ONNX Runtime fuses the copy exactly as it fuses the original.
    emit.declare(y, x!);
    return y;
  },
  view: true,
});

interface CheckpointAttrs {
  /** Tensors at the region's border, and how many of them (the first) were given to it. */
  readonly border: number;
  readonly given: number;
}

/**
 * Inputs are the border of a region, then its results; outputs are the results. The gradient is
 * that of a copy of the region on delayed inputs: the copy differs from the original, so that
 * nothing merges the two, and cannot run before the gradient of a result is there.
 */
export const checkpointOp = defineOp<CheckpointAttrs>({
  name: 'checkpoint',
  infer: (inputs, { border }) => inputs.slice(border).map(({ dtype, shape }) => ({ dtype, shape })),
  grad: checkpointGradient,
  onnx: (emit, { inputs, attrs }) => inputs.slice(attrs.border).map((t) => emit.name(t)),
  view: true,
});

/**
 * `fn(...inputs)`, recomputed in the backward pass: of everything that `fn` makes, only the results
 * live on until then. The copy does the same arithmetic, random draws included (they are keyed),
 * and so gives the same bits; only where ONNX Runtime fuses on the condition that nobody else
 * reads a value (1/x y into y/x) can last bits differ.
 * @param fn the region, a layer or a block of a network; it may use tensors from outside
 * @example
 * let h = x;
 * for (const block of blocks) h = checkpoint((t) => block(t), [h]);
 * @see https://arxiv.org/abs/1604.06174
 */
export function checkpoint<Y extends Tensor | readonly Tensor[]>(
  fn: (...inputs: Tensor[]) => Y,
  inputs: readonly Tensor[],
): Y {
  const start = nextNodeId();
  const result = fn(...inputs);
  const many = Array.isArray(result);
  const ys = (many ? result : [result]) as readonly Tensor[];
  const inside = (t: Tensor) => t.node.id >= start && t.node.op !== (inputOp as unknown as Op);
  const read = [...ys, ...regionOf(ys, inside).flatMap((node) => node.inputs)];
  const outside = new Set(
    read.filter((t) => !inside(t) && t.node.op !== (constantOp as unknown as Op)),
  );
  const given = [...new Set(inputs)].filter((t) => outside.has(t));
  const border = [...new Set([...given, ...outside])];
  const attrs = { border: border.length, given: given.length };
  const out = checkpointOp.apply([...border, ...ys], attrs);
  return (many ? out : out[0]) as Y;
}

/** The nodes that `outputs` reach without leaving what is inside. */
function regionOf(outputs: readonly Tensor[], inside: (t: Tensor) => boolean): Node[] {
  const found = new Set<Node>();
  const stack = outputs.filter(inside).map((t) => t.node);
  for (let node = stack.pop(); node; node = stack.pop()) {
    if (found.has(node)) continue;
    found.add(node);
    for (const t of node.inputs) if (inside(t)) stack.push(t.node);
  }
  return [...found].sort((a, b) => a.id - b.id);
}

/** Rebuilds a region on what `map` puts in the place of its border, and completes the map. */
function rebuild(region: readonly Node[], map: Map<Tensor, Tensor>): void {
  const get = (t: Tensor) => map.get(t) ?? t;
  for (const node of region) {
    const inputs = node.inputs.map(get);
    if (inputs.every((t, i) => t === node.inputs[i])) continue;
    const made = cloneNode(node, inputs);
    for (const [i, t] of node.outputs.entries()) map.set(t, made[i]!);
  }
}

function checkpointGradient({
  inputs,
  attrs,
  dys,
  dy,
  needs,
}: GradContext<CheckpointAttrs>): readonly (Tensor | null)[] {
  const border = inputs.slice(0, attrs.border);
  const ys = inputs.slice(attrs.border);
  const outside = new Set(border);
  // On placeholders first: one border tensor may have been made from another, and the gradient of
  // the region must not run on into that.
  const stand = border.map((t, i) => input(`checkpoint${i}`, t.dtype, t.shape));
  const map = new Map(border.map((t, i) => [t, stand[i]!]));
  rebuild(
    regionOf(ys, (t) => !outside.has(t)),
    map,
  );
  const dyIn = dys.map((d, i) => d && input(`checkpoint.dy${i}`, d.dtype, d.shape));
  const wantedAt = [...border.keys()].filter((i) => needs[i] && isFloat(border[i]!.dtype));
  const grads = vjp(
    ys.map((y) => map.get(y) ?? y),
    dyIn,
    wantedAt.map((i) => stand[i]!),
  );

  const actual = new Map<Tensor, Tensor>();
  for (const [i, t] of border.entries()) actual.set(stand[i]!, delay(t, [dy]));
  for (const [i, d] of dys.entries()) if (d) actual.set(dyIn[i]!, d);
  const results = substitute(grads, actual);

  // Nothing else makes ONNX Runtime compute the gradients of weights now; left for the end, they
  // would keep what the copy computed alive. What lies below has to wait for them.
  const handedOn = (i: number) => i < attrs.given && border[i]!.node.inputs.length > 0;
  const kept = results.filter((_, k) => !handedOn(wantedAt[k]!));
  const out = new Array<Tensor | null>(inputs.length).fill(null);
  for (const [k, g] of results.entries()) {
    const i = wantedAt[k]!;
    out[i] = handedOn(i) ? delay(g, kept) : g;
  }
  return out;
}

/** `x`, once all of `tensors` are known. */
function delay(x: Tensor, tensors: readonly Tensor[]): Tensor {
  const awaited = tensors.filter((t) => t.size > 0);
  if (awaited.length === 0) return x;
  return delayOp.one([x, zeroAfterOp.one(awaited, undefined)], undefined);
}
