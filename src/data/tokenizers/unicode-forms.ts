/** The four Unicode normalization forms on aligned text. */
import { type AlignedText, type Change, transformAligned } from './aligned-text.js';

/** A Unicode normalization form. */
export type UnicodeForm = 'NFC' | 'NFD' | 'NFKC' | 'NFKD';

// JavaScript gives no combining classes, but its NFD sorts by them, which tells their order.
const HIGHEST_CLASS = '\u0345';
const marks = new Map<string, boolean>();
const orders = new Map<string, boolean>();

/** Whether the combining class of a decomposed character is not 0. */
function isMark(char: string): boolean {
  let known = marks.get(char);
  if (known === undefined) {
    const pair = HIGHEST_CLASS + char;
    known = char === HIGHEST_CLASS || pair.normalize('NFD') !== pair;
    // Of 1.1 million characters some 900 are marks; texts use few of the others.
    if (marks.size > 50_000) marks.clear();
    marks.set(char, known);
  }
  return known;
}

/** Whether `a` has a lower combining class than `b`; both are marks. */
function isBefore(a: string, b: string): boolean {
  const pair = b + a;
  let known = orders.get(pair);
  if (known === undefined) {
    known = a !== b && pair.normalize('NFD') !== pair;
    if (orders.size > 50_000) orders.clear();
    orders.set(pair, known);
  }
  return known;
}

/** Decomposition in canonical order; a character's first part replaces it, the others are new. */
function decompose(text: string, form: 'NFD' | 'NFKD'): Change[] {
  const changes: Change[] = [];
  let runStart = 0;
  for (const char of text) {
    let change = 0;
    for (const part of char.normalize(form)) {
      const added = { char: part, change };
      change = 1;
      if (!isMark(part)) {
        changes.push(added);
        runStart = changes.length;
        continue;
      }
      // Insertion keeps the order of marks of equal class.
      let at = changes.length;
      while (at > runStart && isBefore(part, changes[at - 1]!.char)) at--;
      changes.splice(at, 0, added);
    }
  }
  return changes;
}

/** Canonical composition; a character composed of several replaces the first and removes the others. */
function compose(parts: readonly Change[]): Change[] {
  const out: Change[] = [];
  let base = -1;
  let lastMark: string | null = null;
  for (const part of parts) {
    const mark = isMark(part.char);
    if (base < 0) {
      out.push(part);
      if (!mark) base = out.length - 1;
      continue;
    }
    const blocked = lastMark !== null && (!mark || !isBefore(lastMark, part.char));
    if (!blocked) {
      const { char, change } = out[base]!;
      const pair = (char + part.char).normalize('NFC');
      const whole = pair.codePointAt(0)!;
      if (pair.length === (whole > 0xffff ? 2 : 1)) {
        out[base] = { char: pair, change: change + part.change - 1 };
        continue;
      }
    }
    out.push(part);
    if (mark) lastMark = part.char;
    else {
      base = out.length - 1;
      lastMark = null;
    }
  }
  return out;
}

/**
 * `a` in a normalization form (Unicode Standard Annex 15). Ranges are those of the Rust crate
 * `unicode-normalization-alignments`, which Hugging Face uses.
 */
export function unicodeForm(a: AlignedText, form: UnicodeForm): AlignedText {
  const normal = a.text.normalize(form);
  if (normal === a.text) return a;
  const decomposed = decompose(a.text, form === 'NFC' || form === 'NFD' ? 'NFD' : 'NFKD');
  const changes = form === 'NFC' || form === 'NFKC' ? compose(decomposed) : decomposed;
  return transformAligned(a, changes);
}
