/** Einstein summation, lowered to transposes, products and sums. */
import { ConfigError, ShapeError } from '../errors.js';
import { formatType, type Shape, type Tensor } from '../graph/index.js';
import { mul } from './arithmetic.js';
import { requireSameDType } from './check.js';
import { reshape, sum, transpose } from './layout.js';
import { matmul } from './matmul.js';
import { slice } from './slice.js';

/** A tensor whose axes have names: letters, and `.0`, `.1`, ... for what an ellipsis stands for. */
interface Labelled {
  readonly tensor: Tensor;
  readonly labels: readonly string[];
}

interface Equation {
  readonly terms: readonly (readonly string[])[];
  readonly output: readonly string[];
  readonly sizes: ReadonlyMap<string, number>;
}

/** The axes that `...` covers are named from the right, since that is how they broadcast. */
function ellipsisLabels(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `.${count - 1 - i}`);
}

/** Labels of one term; `hidden` is how many axes its ellipsis covers. */
function parseTerm(text: string, term: string, hidden: (letters: number) => number): string[] {
  const parts = term.split('...');
  const letters = parts.join('');
  if (parts.length > 2 || !/^[A-Za-z]*$/.test(letters)) {
    throw new ConfigError(`einsum '${text}': term '${term}' may hold letters and one '...' only.`, {
      op: 'einsum',
      equation: text,
      term,
    });
  }
  if (parts.length === 1) return [...letters];
  return [...parts[0]!, ...ellipsisLabels(hidden(letters.length)), ...parts[1]!];
}

function parse(text: string, tensors: readonly Tensor[]): Equation {
  const [left, right, ...more] = text.replace(/\s/g, '').split('->');
  const given = left!.split(',');
  if (more.length > 0 || given.length !== tensors.length) {
    throw new ConfigError(
      `einsum '${text}': ${given.length} terms for ${tensors.length} tensors; write one term a tensor, separated by commas, and at most one '->'.`,
      { op: 'einsum', equation: text, tensors: tensors.length },
    );
  }
  const terms = given.map((term, i) => {
    const { rank } = tensors[i]!;
    const labels = parseTerm(text, term, (letters) => Math.max(0, rank - letters));
    if (labels.length !== rank) {
      throw new ShapeError(
        `einsum '${text}': term '${term}' names ${labels.length} axes but tensor ${i} is ${formatType(tensors[i]!)}.`,
        { op: 'einsum', equation: text, term, shape: tensors[i]!.shape },
      );
    }
    return labels;
  });
  const sizes = labelSizes(text, terms, tensors);
  const hidden = [...sizes.keys()].filter((l) => l.startsWith('.')).length;
  const output =
    right === undefined
      ? [...ellipsisLabels(hidden), ...lettersOnce(terms)]
      : parseTerm(text, right, () => hidden);
  for (const [i, label] of output.entries()) {
    if (!sizes.has(label) || output.indexOf(label) !== i) {
      throw new ConfigError(
        `einsum '${text}': output label '${label}' ${sizes.has(label) ? 'is there twice' : 'is in no input'}.`,
        { op: 'einsum', equation: text, label },
      );
    }
  }
  return { terms, output, sizes };
}

/** The output when none is written: the letters that occur once, in alphabetical order. */
function lettersOnce(terms: readonly (readonly string[])[]): string[] {
  const all = terms.flat().filter((label) => !label.startsWith('.'));
  return all.filter((label) => all.indexOf(label) === all.lastIndexOf(label)).sort();
}

function labelSizes(
  text: string,
  terms: readonly (readonly string[])[],
  tensors: readonly Tensor[],
): Map<string, number> {
  const sizes = new Map<string, number>();
  for (const [i, labels] of terms.entries()) {
    for (const [axis, label] of labels.entries()) {
      const size = tensors[i]!.shape[axis]!;
      const known = sizes.get(label) ?? 1;
      if (known !== 1 && size !== 1 && known !== size) {
        const what = label.startsWith('.') ? `an axis of '...'` : `label '${label}'`;
        throw new ShapeError(
          `einsum '${text}': ${what} is ${known} long in one place and ${size} in tensor ${i}, ${formatType(tensors[i]!)}.`,
          { op: 'einsum', equation: text, label, sizes: [known, size] },
        );
      }
      sizes.set(label, known === 1 ? size : known);
    }
  }
  return sizes;
}

/** Brings the axes into the order of `labels`, which are those of `x`. */
function arrange({ tensor, labels }: Labelled, order: readonly string[]): Tensor {
  return transpose(
    tensor,
    order.map((label) => labels.indexOf(label)),
  );
}

/** Keeps, of an axis pair with one label, the places where both indices are equal. */
function diagonal(x: Labelled): Labelled {
  const at = x.labels.findIndex((label, i) => x.labels.indexOf(label) !== i);
  if (at < 0) return x;
  const first = x.labels.indexOf(x.labels[at]!);
  const rest = [...x.labels.keys()].filter((i) => i !== first && i !== at);
  const last = transpose(x.tensor, [...rest, first, at]);
  const n = last.shape.at(-1)!;
  // In a row-major n x n block the diagonal is every (n + 1)-th element.
  const picked = slice(reshape(last, [...last.shape.slice(0, -2), n * n]), {
    starts: [0],
    ends: [n * n],
    steps: [n + 1],
    axes: [-1],
  });
  return diagonal({ tensor: picked, labels: [...rest.map((i) => x.labels[i]!), x.labels[first]!] });
}

/** Drops axes of length 1 whose label is longer elsewhere: broadcasting does without them. */
function dropBroadcast({ tensor, labels }: Labelled, sizes: ReadonlyMap<string, number>): Labelled {
  const kept = [...labels.keys()].filter(
    (i) => tensor.shape[i] !== 1 || sizes.get(labels[i]!) === 1,
  );
  if (kept.length === labels.length) return { tensor, labels };
  return {
    tensor: reshape(
      tensor,
      kept.map((i) => tensor.shape[i]!),
    ),
    labels: kept.map((i) => labels[i]!),
  };
}

/** Sums over the labels that nobody else asks for. */
function sumUnneeded(x: Labelled, needed: ReadonlySet<string>): Labelled {
  const axes = [...x.labels.keys()].filter((i) => !needed.has(x.labels[i]!));
  if (axes.length === 0) return x;
  return {
    tensor: sum(x.tensor, { axes }),
    labels: x.labels.filter((label) => needed.has(label)),
  };
}

/** Contracts two tensors, keeping the labels in `needed`. */
function contract(a: Labelled, b: Labelled, needed: ReadonlySet<string>): Labelled {
  const inA = new Set(a.labels);
  const inB = new Set(b.labels);
  const x = sumUnneeded(a, new Set([...needed, ...inB]));
  const y = sumUnneeded(b, new Set([...needed, ...inA]));
  const batch = x.labels.filter((l) => inB.has(l) && needed.has(l));
  const summed = x.labels.filter((l) => inB.has(l) && !needed.has(l));
  const rows = x.labels.filter((l) => !inB.has(l));
  const columns = y.labels.filter((l) => !inA.has(l));
  const labels = [...batch, ...rows, ...columns];
  const left = arrange(x, [...batch, ...rows, ...summed]);
  const size = (from: number, count: number, t: Tensor) =>
    t.shape.slice(from, from + count).reduce((p, d) => p * d, 1);
  const nBatch = size(0, batch.length, left);
  const nRows = size(batch.length, rows.length, left);
  const nSummed = size(batch.length + rows.length, summed.length, left);
  // Products of single numbers, and dot products of single rows, are elementwise work.
  if (summed.length === 0 || (rows.length === 0 && columns.length === 0)) {
    const right = arrange(y, [...batch, ...summed, ...columns]);
    const apart = (t: Tensor, after: Shape) => reshape(t, [...t.shape, ...after.map(() => 1)]);
    const product =
      summed.length === 0
        ? mul(
            apart(left, right.shape.slice(batch.length)),
            reshape(right, [
              ...right.shape.slice(0, batch.length),
              ...rows.map(() => 1),
              ...right.shape.slice(batch.length),
            ]),
          )
        : mul(left, right);
    const axes = summed.map((_, i) => batch.length + i);
    return { tensor: axes.length > 0 ? sum(product, { axes }) : product, labels };
  }
  const right = arrange(y, [...batch, ...summed, ...columns]);
  const nColumns = right.size === 0 ? 0 : right.size / (nBatch * nSummed);
  const head = batch.length > 0 ? [nBatch] : [];
  const product = matmul(
    reshape(left, [...head, nRows, nSummed]),
    reshape(right, [...head, nSummed, nColumns]),
  );
  const shape = [
    ...left.shape.slice(0, batch.length + rows.length),
    ...right.shape.slice(batch.length + summed.length),
  ];
  return { tensor: reshape(product, shape), labels };
}

/**
 * Sums of products by Einstein's notation. Letters name axes; equal letters run together, and those
 * that are not in the output are summed over. `...` stands for any further axes, which broadcast. A
 * letter repeated within a term takes the diagonal. Without `->` the output has the letters that
 * occur once, in alphabetical order. Tensors are contracted from left to right.
 * @throws ConfigError for a malformed equation, ShapeError for sizes that differ; both name the label
 * @example
 * einsum('bqhd,bkhd->bhqk', q, k); // attention scores
 * einsum('ii->', m); // trace
 */
export function einsum(equation: string, ...tensors: readonly Tensor[]): Tensor {
  const { terms, output, sizes } = parse(equation, tensors);
  requireSameDType('einsum', tensors);
  const operands = terms.map((labels, i) =>
    dropBroadcast(diagonal({ tensor: tensors[i]!, labels }), sizes),
  );
  let result = operands[0]!;
  for (let i = 1; i < operands.length; i++) {
    const later = operands.slice(i + 1).flatMap((x) => x.labels);
    result = contract(result, operands[i]!, new Set([...output, ...later]));
  }
  return arrange(sumUnneeded(result, new Set(output)), output);
}
