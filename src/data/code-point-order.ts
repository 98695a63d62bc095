/** The order of names: the same on every machine, whatever its language. */

/**
 * Compares by code point, as Python sorts strings; JavaScript's own order is by UTF-16 units and
 * puts characters beyond U+FFFF before some below it.
 */
export function byCodePoint(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    if (a.charCodeAt(i) === b.charCodeAt(i)) continue;
    // The units differ; a low surrogate is judged with the high one before it, which is equal.
    const low = (s: string) => (s.charCodeAt(i) & 0xfc00) === 0xdc00;
    const at = i > 0 && low(a) && low(b) ? i - 1 : i;
    return a.codePointAt(at)! - b.codePointAt(at)!;
  }
  return a.length - b.length;
}
