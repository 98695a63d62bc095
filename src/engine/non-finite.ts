/** Finds the operation that made the first NaN or infinity of a graph. */
import { EngineError } from '../errors.js';
import {
  constantValue,
  formatType,
  type HostTensor,
  inputName,
  isFloat,
  type Node,
  optimize,
  type Tensor,
  toNumbers,
  toposort,
} from '../graph/index.js';
import { cast, isInf, isNaN as isNan, logicalOr, sum } from '../ops/index.js';
import type { DeviceTensor } from '../runtime/index.js';
import type { Engine } from './engine.js';

/** Fetching a count for every tensor costs one result each; this many at a time are fetched. */
const TENSORS_A_RUN = 512;

function isLeaf(t: Tensor): boolean {
  return inputName(t) !== null || constantValue(t) !== null;
}

/** Whether an infinity was put there by a constant, as masks do, and only handed on since. */
function fromConstant(start: Tensor, bad: ReadonlyMap<Tensor, 'NaN' | 'infinity'>): boolean {
  const visited = new Set<Node>();
  for (let t: Tensor | undefined = start; t && !visited.has(t.node); ) {
    if (bad.get(t) !== 'infinity') return false;
    visited.add(t.node);
    const inputs: readonly Tensor[] = t.node.inputs;
    if (inputs.some((i) => bad.has(i) && constantValue(i) !== null)) return true;
    t = inputs.find((i) => bad.has(i));
  }
  return false;
}

/**
 * Runs the graph again, counting non-finite values in every tensor, and follows them back from
 * `outputs` to the operation that made the first one from finite inputs. An infinity in a constant
 * (an attention mask) is not a fault by itself.
 * @throws EngineError with code `non-finite`, naming the node, or the input that came in damaged
 */
export async function locateNonFinite(
  engine: Engine,
  outputs: readonly Tensor[],
  feeds: Readonly<Record<string, HostTensor | DeviceTensor>>,
  {
    constants = new Map(),
    names = new Map(),
  }: {
    readonly constants?: ReadonlyMap<Tensor, HostTensor>;
    /** What messages call a placeholder, by the name that it is fed under. */
    readonly names?: ReadonlyMap<string, string>;
  } = {},
): Promise<void> {
  const graph = optimize(outputs);
  const tensors = toposort(graph)
    .flatMap((node) => node.outputs)
    .filter((t) => isFloat(t.dtype) && t.size > 0);
  const bad = new Map<Tensor, 'NaN' | 'infinity'>();
  for (let i = 0; i < tensors.length; i += TENSORS_A_RUN) {
    const part = tensors.slice(i, i + TENSORS_A_RUN);
    const counts: Record<string, Tensor> = {};
    for (const [j, t] of part.entries()) {
      const nan = isNan(t);
      counts[`nan${j}`] = sum(cast(nan, 'float32'));
      counts[`any${j}`] = sum(cast(logicalOr(nan, isInf(t)), 'float32'));
    }
    const program = await engine.program(counts, { constants });
    const results = await program.run(feeds);
    const count = async (name: string) =>
      toNumbers(await engine.runtime.download(results[name]!))[0]!;
    for (const [j, t] of part.entries()) {
      if ((await count(`nan${j}`)) > 0) bad.set(t, 'NaN');
      else if ((await count(`any${j}`)) > 0) bad.set(t, 'infinity');
    }
  }
  const start = graph.find((t) => bad.has(t));
  if (!start) return;

  let at = start;
  const visited = new Set<Node>();
  while (!isLeaf(at) && !visited.has(at.node)) {
    visited.add(at.node);
    const inputs = at.node.inputs.filter((t) => bad.has(t) && constantValue(t) === null);
    const next = inputs.find((t) => bad.get(t) === bad.get(at)) ?? inputs[0];
    if (!next) break;
    if (bad.get(at) === 'NaN' && fromConstant(next, bad)) break;
    at = next;
  }
  const kind = bad.get(at)!;
  const placeholder = inputName(at);
  if (placeholder !== null) {
    const name = names.get(placeholder) ?? placeholder;
    throw new EngineError(
      'non-finite',
      `Input or parameter '${name}' (${formatType(at)}) holds ${kind} before the step. Check the data, or lower the learning rate.`,
      { input: name, kind },
    );
  }
  const infinite = at.node.inputs.some((t) => bad.has(t));
  throw new EngineError(
    'non-finite',
    `${at.node.describe()} made the first ${kind}: ${formatType(at)} from ${at.node.inputs.map(formatType).join(', ')}, which ${infinite ? 'hold an infinity that a constant put there (a mask that leaves nothing?)' : 'were finite'}.`,
    { op: at.node.op.name, node: at.node.id, scope: at.node.scope, kind },
  );
}
