/**
 * Reverse-mode differentiation: one walk over the graph, from the outputs down, asking each node's
 * operation for its gradient rule. The result is again graph, so it can be differentiated again.
 */
import { ConfigError, GradientError, ShapeError } from '../errors.js';
import {
  dependents,
  formatType,
  gradientsOf,
  isFloat,
  type Node,
  sameShape,
  type Tensor,
  toposort,
} from '../graph/index.js';
import { addAll, full, zerosLike } from '../ops/index.js';

/**
 * Gradients of a scalar `loss` with respect to each of `wrt`. Nothing is built below the lowest
 * of them, and no node is visited that does not lie between them and the loss.
 * @returns one tensor for each of `wrt`, of its type; zeros where the loss does not depend on it
 * @throws GradientError when the loss is not a floating-point scalar, or an operation on the way
 *   has no gradient
 * @example
 * const x = input('x', 'float32', [3]);
 * const [dx] = grad(sum(mul(x, x)), [x]); // 2 x
 */
export function grad(loss: Tensor, wrt: readonly Tensor[]): Tensor[] {
  if (loss.size !== 1 || !isFloat(loss.dtype)) {
    throw new GradientError(
      `grad: the loss must be one floating-point number, got ${formatType(loss)}. Reduce it with sum or mean, or use vjp with the gradients of the outputs.`,
      { shape: loss.shape, dtype: loss.dtype },
    );
  }
  return vjp([loss], [full(loss.dtype, loss.shape, 1)], wrt);
}

/**
 * Vector-Jacobian product: given the gradient `dys[i]` of each of `outputs`, the gradient of each
 * of `wrt`. A null in `dys` means that this output does not matter.
 * @throws ShapeError when a gradient does not have the shape of its output
 */
export function vjp(
  outputs: readonly Tensor[],
  dys: readonly (Tensor | null)[],
  wrt: readonly Tensor[],
): Tensor[] {
  if (outputs.length !== dys.length) {
    throw new ConfigError(`vjp: ${outputs.length} outputs but ${dys.length} gradients.`);
  }
  const gathered = new Map<Tensor, Tensor[]>();
  const contribute = (t: Tensor, dt: Tensor, from: () => string) => {
    if (!sameShape(t.shape, dt.shape) || t.dtype !== dt.dtype) {
      throw new ShapeError(
        `The gradient of ${formatType(t)} made by ${from()} is ${formatType(dt)}; it must have the same type.`,
      );
    }
    const list = gathered.get(t);
    if (list) list.push(dt);
    else gathered.set(t, [dt]);
  };
  for (const [i, out] of outputs.entries()) {
    const dy = dys[i];
    if (dy) contribute(out, dy, () => 'the caller of vjp');
  }

  const order = toposort(outputs);
  const onPath = dependents(order, wrt);
  const wanted = new Set(wrt);
  const total = (t: Tensor): Tensor | null => {
    const list = gathered.get(t);
    if (!list) return null;
    const value = list.length === 1 ? list[0]! : addAll(list);
    gathered.set(t, [value]);
    return value;
  };
  const isWanted = (t: Tensor) => isFloat(t.dtype) && (wanted.has(t) || leadsTo(t.node));
  // A node leads on only if one of its inputs does: the producer of a wanted tensor need not.
  const below = new Map<Node, boolean>();
  const leadsTo = (node: Node): boolean => below.get(node) ?? false;
  for (const node of order) {
    if (onPath.has(node)) below.set(node, node.inputs.some(isWanted));
  }

  for (let i = order.length - 1; i >= 0; i--) {
    const node = order[i]!;
    if (!leadsTo(node)) continue;
    const nodeDys = node.outputs.map(total);
    if (nodeDys.every((dy) => dy === null)) continue;
    const needs = node.inputs.map(isWanted);
    const results = gradientsOf(node, nodeDys, needs);
    for (const [j, dt] of results.entries()) {
      if (dt && needs[j]) contribute(node.inputs[j]!, dt, () => node.describe());
    }
  }
  return wrt.map((t) => total(t) ?? zerosLike(t));
}
