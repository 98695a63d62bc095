/** Tokens of one text, and their ranges without the white space at their ends. */
import { unitsAt } from './aligned-text.js';
import type { PostProcessor } from './post-processor.js';

/** The alphabet's character for a space byte. */
const SPACE_BYTE = '\u0120';
const WHITE = /\p{White_Space}/u;

/** Tokens of one text before special ones are added. */
export interface TextTokens {
  readonly ids: number[];
  readonly starts: number[];
  readonly ends: number[];
  readonly wordIds: number[];
  /** The text that the ranges of a token count in. */
  sourceOf(token: number): string;
}

/** White space at the ends of a token of a byte-level model; one character is one unit. */
function blanks(token: string): readonly [leading: number, trailing: number] {
  const blank = (char: string | undefined) =>
    char !== undefined && (char === SPACE_BYTE || WHITE.test(char));
  let leading = 0;
  while (leading < token.length && blank(token[leading])) leading++;
  let trailing = 0;
  while (trailing < token.length && blank(token[token.length - 1 - trailing])) trailing++;
  return [leading, trailing];
}

/** `steps` characters on from `at`, backwards when negative. */
function moved(text: string, at: number, steps: number): number {
  let to = at;
  for (let n = 0; n < steps && to < text.length; n++) to += unitsAt(text, to);
  for (let n = 0; n < -steps && to > 0; n++) to -= to > 1 ? unitsAt(text, to - 2) : 1;
  return to;
}

/** Takes the white space out of ranges, as the reference's `process_offsets` does. */
export function trimRanges(
  text: TextTokens,
  tokenOf: (id: number) => string | undefined,
  { addPrefixSpace }: NonNullable<PostProcessor['trim']>,
): void {
  const { ids, starts, ends } = text;
  for (let i = 0; i < ids.length; i++) {
    const [before, after] = blanks(tokenOf(ids[i]!) ?? '');
    if (before === 0 && after === 0) continue;
    const source = text.sourceOf(i);
    const first = i === 0 || starts[i] === 0;
    // That one space was put there by the pre-tokenizer.
    const leading = first && addPrefixSpace && before === 1 ? 0 : before;
    starts[i] = Math.min(moved(source, starts[i]!, leading), ends[i]!);
    ends[i] = Math.max(moved(source, ends[i]!, -after), starts[i]!);
  }
}
