/** How many tokens of each text remain when both must fit. */
import { ConfigError } from '../../errors.js';

/**
 * Tokens to keep of each text, as Hugging Face's `truncate_encodings`: the longer text gives up
 * first; when both are too long each keeps half, the longer one more if the number is odd.
 * @param totals number of tokens of the text or the two texts
 * @param room tokens that may remain, special ones not counted
 * @throws ConfigError when the text that shall give up tokens has too few
 */
export function truncatedLengths(
  totals: readonly number[],
  room: number,
  truncate: 'longest-first' | 'first' | 'second',
): readonly number[] {
  const surplus = totals.reduce((a, b) => a + b, 0) - room;
  if (surplus <= 0) return totals;
  if (room === 0) return totals.map(() => 0);
  if (truncate !== 'longest-first') {
    const chosen = truncate === 'first' ? 0 : 1;
    const kept = (totals[chosen] ?? 0) - surplus;
    if (kept <= 0) {
      throw new ConfigError(
        `The ${truncate} text has ${totals[chosen] ?? 0} tokens and cannot give up ${surplus} so that ${room} remain. Use a larger maxLength or truncate: 'longest-first'.`,
        { lengths: totals, room, truncate },
      );
    }
    return totals.map((n, i) => (i === chosen ? kept : n));
  }
  if (totals.length === 1) return [room];
  const [first, second] = totals as readonly [number, number];
  const swap = first > second;
  const shorter = Math.min(first, second);
  let kept: [number, number] = [shorter, Math.max(shorter, room - shorter)];
  if (shorter > room || kept[0] + kept[1] > room) {
    kept = [Math.floor(room / 2), room - Math.floor(room / 2)];
  }
  return swap ? [kept[1], kept[0]] : kept;
}
