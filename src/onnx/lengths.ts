/** Lengths that sizes enter: what a number is for every batch and sequence, from what it is for a few. */

/** How long the free axes of a model are, by name. */
export type Sizes = Readonly<Record<string, number>>;

/** A number times some axes. */
export interface Term {
  readonly factor: number;
  /** Names of axes, in the order of the sizes; one may come several times. */
  readonly axes: readonly string[];
}

/** The sum of a number and of terms. */
export interface Length {
  readonly constant: number;
  readonly terms: readonly Term[];
}

/** Sizes at which a model was traced: those that the others are compared with, then the others. */
export interface Traced {
  readonly sizes: readonly Sizes[];
  /** For each axis the index of a trace in which it alone is another. */
  readonly varied: ReadonlyMap<string, number>;
}

/** Highest power of one axis in a product: scores have the sequence twice. */
const MAX_POWER = 3;

/**
 * Sorts out which trace says what.
 * @returns null when an axis has no trace in which it alone is another
 */
export function tracedAt(sizes: readonly Sizes[]): Traced | null {
  const [first, ...others] = sizes as [Sizes, ...Sizes[]];
  const varied = new Map<string, number>();
  for (const axis of Object.keys(first)) {
    const at = others.findIndex((s) =>
      Object.keys(first).every((name) => (s[name] === first[name]) === (name !== axis)),
    );
    if (at < 0) return null;
    varied.set(axis, at + 1);
  }
  return { sizes, varied };
}

/** What a length is at some sizes. */
export function lengthAt({ constant, terms }: Length, sizes: Sizes): number {
  return terms.reduce(
    (sum, { factor, axes }) => sum + axes.reduce((n, axis) => n * sizes[axis]!, factor),
    constant,
  );
}

/** The power of an axis that one number grows by to another; -1 when it is none. */
function powerOf(a: number, b: number, from: number, to: number): number {
  for (let power = 0; power <= MAX_POWER; power++) {
    if (a * to ** power === b * from ** power) return power;
  }
  return -1;
}

function product(values: readonly number[], { sizes, varied }: Traced): Length | null {
  const [first] = sizes as [Sizes];
  const axes: string[] = [];
  let factor = values[0]!;
  for (const [axis, at] of varied) {
    const power = powerOf(values[0]!, values[at]!, first[axis]!, sizes[at]![axis]!);
    if (power < 0) return null;
    for (let i = 0; i < power; i++) axes.push(axis);
    factor /= first[axis]! ** power;
  }
  return factor !== 0 && Number.isInteger(factor)
    ? { constant: 0, terms: [{ factor, axes }] }
    : null;
}

function sum(values: readonly number[], { sizes, varied }: Traced): Length | null {
  const [first] = sizes as [Sizes];
  const terms: Term[] = [];
  let constant = values[0]!;
  for (const [axis, at] of varied) {
    const factor = (values[at]! - values[0]!) / (sizes[at]![axis]! - first[axis]!);
    if (!Number.isInteger(factor)) return null;
    if (factor !== 0) terms.push({ factor, axes: [axis] });
    constant -= factor * first[axis]!;
  }
  return { constant, terms };
}

/**
 * The length that is `values[i]` in trace i: a number, a product of axes, or, where there are more traces
 * than it takes to know a sum of axes, such a sum. Each is held against all traces.
 * @returns null when it is none of these
 */
export function lengthOf(values: readonly number[], traced: Traced): Length | null {
  if (values.every((v) => v === values[0])) return { constant: values[0]!, terms: [] };
  const fits = (length: Length | null) =>
    length && traced.sizes.every((s, i) => lengthAt(length, s) === values[i]) ? length : null;
  const checked = traced.sizes.length > traced.varied.size + 1;
  return fits(product(values, traced)) ?? (checked ? fits(sum(values, traced)) : null);
}

/** True for a length that is the same at all sizes. */
export function isFixed({ terms }: Length): boolean {
  return terms.length === 0;
}

/** The name of a length in a file, such as `2*batch` or `past_sequence_length + 1`. */
export function nameOf({ constant, terms }: Length): string {
  const parts = terms.map(({ factor, axes }) =>
    [...(factor === 1 ? [] : [factor]), ...axes].join('*'),
  );
  return [...parts, ...(constant === 0 ? [] : [constant])].join(' + ');
}
