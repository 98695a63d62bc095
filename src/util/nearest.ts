/** Names like the one that was misspelt. */

/** Edits (insert, delete, replace) that take `a` to `b`. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replace = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replace, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}

/** The name among `names` that is the fewest edits from `name`; the first of equals. */
export function nearest(name: string, names: readonly string[]): string {
  let best = names[0] ?? '';
  let least = Number.POSITIVE_INFINITY;
  for (const candidate of names) {
    const edits = distance(name.toLowerCase(), candidate.toLowerCase());
    if (edits < least) {
      best = candidate;
      least = edits;
    }
  }
  return best;
}

/** Edits that a slip makes: two in a short name, a third of a long one. */
const slips = (name: string): number => Math.max(2, Math.floor(name.length / 3));

/** ` Did you mean 'x'?` where one of `names` is near enough to be meant, else nothing. */
export function didYouMean(name: string, names: readonly string[]): string {
  if (names.length === 0) return '';
  const best = nearest(name, names);
  // A base may be asked for without its organization.
  const forms = [best, best.slice(best.lastIndexOf('/') + 1)].map((form) => form.toLowerCase());
  const edits = Math.min(...forms.map((form) => distance(name.toLowerCase(), form)));
  return edits <= slips(name) && edits < best.length ? ` Did you mean '${best}'?` : '';
}
