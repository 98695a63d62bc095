/** A graph as text: one line a node, in an order that can be read from top to bottom. */
import { formatType, type HostTensor } from './dtype.js';
import type { Tensor } from './node.js';
import { toposort } from './toposort.js';

function formatAttr(value: unknown): string {
  if (value === null || typeof value !== 'object') {
    return typeof value === 'function' ? 'fn' : String(value);
  }
  if (Array.isArray(value)) return `[${value.map(formatAttr).join(',')}]`;
  if ('dtype' in value && 'shape' in value) {
    const tensor = value as HostTensor;
    const few = tensor.data && tensor.data.length <= 8 ? ` ${tensor.data.join(' ')}` : '';
    return `<${formatType(tensor)}${few}>`;
  }
  if ('inputs' in value && 'outputs' in value) return '<body>';
  return `{${Object.entries(value)
    .filter(([, v]) => v !== undefined)
    .map(([k, v]) => `${k}: ${formatAttr(v)}`)
    .join(', ')}}`;
}

/** Prints the nodes that `outputs` reach, e.g. `%2 = matmul(%0, %1) : float32[2,4]`. */
export function print(outputs: readonly Tensor[]): string {
  const numbers = new Map<Tensor, string>();
  const lines: string[] = [];
  let next = 0;
  for (const node of toposort(outputs)) {
    for (const out of node.outputs) numbers.set(out, `%${next++}`);
    const left = node.outputs.map((t) => numbers.get(t)!).join(', ');
    const args = node.inputs.map((t) => numbers.get(t)!).join(', ');
    const attrs = formatAttr(node.attrs);
    const types = node.outputs.map(formatType).join(', ');
    const scope = node.scope ? `  # ${node.scope}` : '';
    lines.push(
      `${left} = ${node.op.name}(${args})${attrs === '{}' || attrs === 'undefined' ? '' : ` ${attrs}`} : ${types}${scope}`,
    );
  }
  lines.push(`return ${outputs.map((t) => numbers.get(t)!).join(', ')}`);
  return lines.join('\n');
}
