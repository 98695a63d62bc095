/** Splits off a validation part: so much of each class, and nothing on both sides that belongs together. */
import { ConfigError } from '../errors.js';
import { KeyedRandom } from '../util/index.js';
import { byCodePoint } from './code-point-order.js';

/** What is split. */
export interface SplitItem {
  readonly id: string;
  readonly label: number;
  /** Items of one group stay together. */
  readonly group?: string | number | undefined;
  /** Items of one number look nearly the same, and stay together where that is possible. */
  readonly lookalike: number;
}

/** Options of {@link stratifiedSplit}. */
export interface SplitOptions {
  /** Share of each class that is validated, in (0, 1). */
  readonly fraction: number;
  readonly seed: number;
}

/** Which items went where, and what was kept together. */
export interface Split {
  /** Positions in the items, ascending. */
  readonly train: readonly number[];
  readonly valid: readonly number[];
  /** Items with at least one lookalike. */
  readonly lookalikes: number;
  readonly groups: number;
  /** Classes without an item in `valid`: their items all belong together, or there is only one. */
  readonly missing: readonly number[];
}

/** Items that stay together, and how many of each class they are. */
interface Unit {
  readonly items: number[];
  readonly counts: ReadonlyMap<number, number>;
  /** Decides the order in which units are drawn; it depends on the seed and on the unit alone. */
  readonly key: number;
}

/**
 * Joins items by group and by looks. Lookalikes that make up more than half of a class say that the
 * class looks alike (blank pages, drawn shapes), not that there are doubles: they may part.
 */
function unitsOf(
  items: readonly SplitItem[],
  sizes: ReadonlyMap<number, number>,
  random: KeyedRandom,
) {
  const alike = new Map<number, number[]>();
  items.forEach(({ lookalike }, i) => {
    const set = alike.get(lookalike);
    if (set) set.push(i);
    else alike.set(lookalike, [i]);
  });
  const parent = items.map((_, i) => i);
  const find = (i: number): number => {
    let root = i;
    while (parent[root] !== root) root = parent[root]!;
    parent[i] = root;
    return root;
  };
  const join = (a: number, b: number) => {
    parent[Math.max(find(a), find(b))] = Math.min(find(a), find(b));
  };
  let lookalikes = 0;
  for (const set of alike.values()) {
    if (set.length === 1) continue;
    const counts = countsOf(items, set);
    if ([...counts].some(([label, n]) => n > sizes.get(label)! / 2)) continue;
    lookalikes += set.length;
    for (const i of set) join(set[0]!, i);
  }
  const firstOfGroup = new Map<string | number, number>();
  items.forEach(({ group }, i) => {
    if (group === undefined) return;
    const first = firstOfGroup.get(group);
    if (first === undefined) firstOfGroup.set(group, i);
    else join(first, i);
  });
  const members = new Map<number, number[]>();
  items.forEach((_, i) => {
    const root = find(i);
    const unit = members.get(root);
    if (unit) unit.push(i);
    else members.set(root, [i]);
  });
  // Most units are single items, and those of one class share what they count.
  const single = new Map([...sizes.keys()].map((label) => [label, new Map([[label, 1]])]));
  const units = [...members.values()].map((unit): Unit => {
    const [first] = unit as [number];
    // The smallest name stands for the unit, so that other files do not change its place.
    const name = unit.map((i) => items[i]!.id).reduce((a, b) => (byCodePoint(a, b) > 0 ? b : a));
    const counts = unit.length === 1 ? single.get(items[first]!.label)! : countsOf(items, unit);
    return { items: unit, counts, key: random.fold(name).bits() };
  });
  units.sort((a, b) => a.key - b.key || a.items[0]! - b.items[0]!);
  return { units, lookalikes, groups: firstOfGroup.size };
}

function countsOf(items: readonly SplitItem[], chosen: readonly number[]): Map<number, number> {
  const counts = new Map<number, number>();
  for (const i of chosen) counts.set(items[i]!.label, (counts.get(items[i]!.label) ?? 0) + 1);
  return counts;
}

/**
 * Splits items so that about `fraction` of each class is validated, at least one of each class
 * where it has two. Which units are drawn depends on the seed and on names: a file that is added
 * moves few others.
 * @throws ConfigError when the fraction is not in (0, 1)
 */
export function stratifiedSplit(
  items: readonly SplitItem[],
  { fraction, seed }: SplitOptions,
): Split {
  if (!(fraction > 0 && fraction < 1)) {
    throw new ConfigError(
      `The share of pictures to validate on must lie between 0 and 1, got ${fraction}.`,
      { fraction },
    );
  }
  const sizes = countsOf(
    items,
    items.map((_, i) => i),
  );
  const { units, lookalikes, groups } = unitsOf(items, sizes, KeyedRandom.of(seed).fold('split'));
  const wanted = new Map(
    [...sizes].map(([label, n]) => [label, Math.min(n - 1, Math.max(1, Math.round(n * fraction)))]),
  );
  const taken = new Map<number, number>();
  const chosen = new Set<Unit>();
  const need = (label: number) => wanted.get(label)! - (taken.get(label) ?? 0);
  const take = (unit: Unit) => {
    chosen.add(unit);
    for (const [label, n] of unit.counts) taken.set(label, (taken.get(label) ?? 0) + n);
  };
  const leaves = (unit: Unit) =>
    [...unit.counts].every(([label, n]) => (taken.get(label) ?? 0) + n < sizes.get(label)!);
  for (const unit of units) {
    if ([...unit.counts].every(([label, n]) => n <= need(label))) take(unit);
  }
  // What did not fit in whole: taken where it brings the classes nearer to what is wanted.
  for (const unit of units) {
    if (chosen.has(unit) || !leaves(unit)) continue;
    let gain = 0;
    for (const [label, n] of unit.counts) {
      gain += Math.abs(need(label)) - Math.abs(need(label) - n);
    }
    if (gain > 0) take(unit);
  }
  // A class with none yet gets its smallest unit, if something is left to train on.
  for (const label of sizes.keys()) {
    if ((taken.get(label) ?? 0) > 0) continue;
    const able = units.filter((u) => u.counts.has(label) && !chosen.has(u) && leaves(u));
    able.sort((a, b) => a.items.length - b.items.length);
    if (able[0]) take(able[0]);
  }
  const valid = [...chosen].flatMap((u) => u.items).sort((a, b) => a - b);
  const inValid = new Set(valid);
  return {
    train: items.flatMap((_, i) => (inValid.has(i) ? [] : [i])),
    valid,
    lookalikes,
    groups,
    missing: [...sizes.keys()].filter((l) => !taken.get(l)).sort((a, b) => a - b),
  };
}
