/** Cutting aligned text at matches, in the five ways of Hugging Face's `SplitDelimiterBehavior`. */
import { type AlignedText, sliceAligned, unitsAt } from './aligned-text.js';

/** What happens to the matches of a split. */
export const SPLIT_BEHAVIORS = [
  'Removed',
  'Isolated',
  'MergedWithPrevious',
  'MergedWithNext',
  'Contiguous',
] as const;

/** One of {@link SPLIT_BEHAVIORS}. */
export type SplitBehavior = (typeof SPLIT_BEHAVIORS)[number];

/** A stretch of a text, `end` exclusive. */
interface Stretch {
  start: number;
  end: number;
  readonly match: boolean;
}

/** The whole text as stretches that match or do not. */
function stretches(
  length: number,
  matches: Iterable<readonly [start: number, end: number]>,
  invert: boolean,
): Stretch[] {
  const all: Stretch[] = [];
  let done = 0;
  for (const [start, end] of matches) {
    if (done !== start) all.push({ start: done, end: start, match: invert });
    all.push({ start, end, match: !invert });
    done = end;
  }
  if (done !== length) all.push({ start: done, end: length, match: invert });
  return all;
}

/** Joins a stretch to the one before it in the walk when `joins` says so. */
function merged(
  all: readonly Stretch[],
  joins: (match: boolean, previous: boolean) => boolean,
): Stretch[] {
  const out: Stretch[] = [];
  let previous = false;
  for (const part of all) {
    const last = out.at(-1);
    if (last && joins(part.match, previous)) {
      last.start = Math.min(last.start, part.start);
      last.end = Math.max(last.end, part.end);
    } else out.push({ ...part });
    previous = part.match;
  }
  return out;
}

/**
 * The parts of `a` between and, by `behavior`, with the matches; empty parts are left out.
 * @param invert whether the matches are what is wanted, and the rest the delimiter
 */
export function splitAligned(
  a: AlignedText,
  matches: Iterable<readonly [start: number, end: number]>,
  behavior: SplitBehavior,
  invert = false,
): AlignedText[] {
  let parts = stretches(a.text.length, matches, invert);
  if (behavior === 'Removed') parts = parts.filter((p) => !p.match);
  else if (behavior === 'Contiguous') parts = merged(parts, (match, before) => match === before);
  else if (behavior === 'MergedWithPrevious') {
    parts = merged(parts, (match, before) => match && !before);
  } else if (behavior === 'MergedWithNext') {
    parts = merged(parts.reverse(), (match, before) => match && !before).reverse();
  }
  const out: AlignedText[] = [];
  for (const { start, end } of parts) if (start < end) out.push(sliceAligned(a, start, end));
  return out;
}

/** Every character that `is` accepts, as a match of its own. */
export function charMatches(
  text: string,
  is: (char: string) => boolean,
): [start: number, end: number][] {
  const found: [number, number][] = [];
  for (let i = 0; i < text.length; ) {
    const next = i + unitsAt(text, i);
    if (is(text.slice(i, next))) found.push([i, next]);
    i = next;
  }
  return found;
}
