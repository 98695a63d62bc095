/** Text that remembers, unit by unit, where it came from while normalizers change it. */

/**
 * A part of a text after some normalization. The rules by which ranges move are those of
 * Hugging Face's `NormalizedString` (tokenizers/src/tokenizer/normalizer.rs), in UTF-16 units.
 */
export interface AlignedText {
  readonly text: string;
  /** Where the original begins that this is a part of. */
  readonly origin: number;
  /** While `starts` is null: unit `i` of `text` is unit `at + i` of the original. */
  readonly at: number;
  /** For each unit of `text` the range of the original that it stands for; null: unchanged text. */
  readonly starts: Int32Array | null;
  readonly ends: Int32Array | null;
}

/** A text that nothing has been done to. */
export function alignedText(text: string): AlignedText {
  return { text, origin: 0, at: 0, starts: null, ends: null };
}

/** Units that the character at `at` takes: 2 for a surrogate pair. */
export function unitsAt(text: string, at: number): 1 | 2 {
  const high = text.charCodeAt(at);
  if (high < 0xd800 || high > 0xdbff || at + 1 >= text.length) return 1;
  const low = text.charCodeAt(at + 1);
  return low >= 0xdc00 && low <= 0xdfff ? 2 : 1;
}

/** Start in the original of the character that begins at unit `i`. */
export function startAt(a: AlignedText, i: number): number {
  return a.starts ? a.starts[i]! : a.at + i;
}

/** End in the original of the character whose last unit is `i - 1`. */
export function endAt(a: AlignedText, i: number): number {
  return a.ends ? a.ends[i - 1]! : a.at + i;
}

/** Units `from` to `to`, as a part of its own. */
export function sliceAligned(a: AlignedText, from: number, to: number): AlignedText {
  if (from === 0 && to === a.text.length) {
    return { ...a, origin: to > 0 ? startAt(a, 0) : a.origin };
  }
  const origin = from < to ? startAt(a, from) : a.origin;
  return {
    text: a.text.slice(from, to),
    origin,
    at: a.at + from,
    starts: a.starts?.subarray(from, to) ?? null,
    ends: a.ends?.subarray(from, to) ?? null,
  };
}

/** The same part with nothing left at its ends but `from` to `to`. */
export function trimAligned(a: AlignedText, from: number, to: number): AlignedText {
  if (from === 0 && to === a.text.length) return a;
  return { ...sliceAligned(a, from, to), origin: a.origin };
}

/** Other text of the same length, unit for unit. */
export function mapAligned(a: AlignedText, text: string): AlignedText {
  return { ...a, text };
}

/** Collects text with its ranges. */
export class AlignedBuilder {
  private readonly parts: string[] = [];
  private readonly starts: number[] = [];
  private readonly ends: number[] = [];

  /** Adds `text`, all of whose units stand for `start` to `end`. */
  add(text: string, start: number, end: number): void {
    this.parts.push(text);
    for (let i = 0; i < text.length; i++) {
      this.starts.push(start);
      this.ends.push(end);
    }
  }

  /** Adds units `from` to `to` of `a` as they are. */
  keep(a: AlignedText, from: number, to: number): void {
    for (let i = from; i < to; ) {
      const next = i + unitsAt(a.text, i);
      this.add(a.text.slice(i, next), startAt(a, i), endAt(a, next));
      i = next;
    }
  }

  build(origin: number): AlignedText {
    return {
      text: this.parts.join(''),
      origin,
      at: 0,
      starts: Int32Array.from(this.starts),
      ends: Int32Array.from(this.ends),
    };
  }
}

/** The characters that `keep` accepts. */
export function filterAligned(a: AlignedText, keep: (char: string) => boolean): AlignedText {
  const built = new AlignedBuilder();
  for (let i = 0; i < a.text.length; ) {
    const next = i + unitsAt(a.text, i);
    if (keep(a.text.slice(i, next))) built.keep(a, i, next);
    i = next;
  }
  return built.build(a.origin);
}

/** `prefix` before the text; it stands for what the first character stands for. */
export function prependAligned(a: AlignedText, prefix: string): AlignedText {
  if (a.text === '' || prefix === '') return a;
  // Words pass here by the million, so without a builder.
  const length = prefix.length + a.text.length;
  const starts = new Int32Array(length);
  const ends = new Int32Array(length);
  starts.fill(startAt(a, 0), 0, prefix.length);
  ends.fill(endAt(a, unitsAt(a.text, 0)), 0, prefix.length);
  for (let i = 0, to = prefix.length; to < length; i++, to++) {
    starts[to] = startAt(a, i);
    ends[to] = endAt(a, i + 1);
  }
  return { text: prefix + a.text, origin: a.origin, at: 0, starts, ends };
}

/** One change of a text: `char` and what it does to the characters that were there. */
export interface Change {
  readonly char: string;
  /** 0: takes the place of one character; 1: is new; -n: takes one's place and removes n after it. */
  readonly change: number;
}

/** The text that `changes` make of `a`, each range found by walking along the old text. */
export function transformAligned(a: AlignedText, changes: readonly Change[]): AlignedText {
  const built = new AlignedBuilder();
  const { text } = a;
  let at = 0;
  for (const { char, change } of changes) {
    if (change > 0) {
      if (at < 1) built.add(char, a.origin, a.origin);
      else {
        // A new character stands for what the one before it stands for.
        const before = at - (at > 1 && unitsAt(text, at - 2) === 2 ? 2 : 1);
        built.add(char, startAt(a, before), endAt(a, at));
      }
      continue;
    }
    const from = Math.min(at, text.length - 1);
    built.add(char, startAt(a, from), endAt(a, from + unitsAt(text, from)));
    for (let n = change; n <= 0 && at < text.length; n++) at += unitsAt(text, at);
  }
  return built.build(a.origin);
}

/** `content` in the place of every match; it stands for the last character of what it replaces. */
export function replaceAligned(
  a: AlignedText,
  matches: Iterable<readonly [start: number, end: number]>,
  content: string,
): AlignedText {
  const { text } = a;
  const built = new AlignedBuilder();
  let done = 0;
  for (const [start, end] of matches) {
    built.keep(a, done, start);
    if (end < 1) built.add(content, a.origin, a.origin);
    else {
      const last = end - (end > 1 && unitsAt(text, end - 2) === 2 ? 2 : 1);
      built.add(content, startAt(a, last), endAt(a, end));
    }
    done = end;
  }
  if (done === 0) return a;
  built.keep(a, done, text.length);
  return built.build(a.origin);
}
