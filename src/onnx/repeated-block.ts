/** Constants that hold the same for every sample of a batch, such as a token that was repeated. */

/** An array of elements in row-major order. */
export interface Block {
  readonly bytes: Uint8Array;
  readonly dims: readonly number[];
}

/** True when `length` bytes at `a` and at `b` are the same. */
function equalAt(bytes: Uint8Array, a: number, b: number, length: number): boolean {
  for (let i = 0; i < length; i++) if (bytes[a + i] !== bytes[b + i]) return false;
  return true;
}

/**
 * What `block` repeats `count` times along `axis`, one repetition after the other; null when it is
 * no such repetition.
 */
export function repeatedBlock({ bytes, dims }: Block, axis: number, count: number): Block | null {
  const rows = dims[axis]! / count;
  if (!Number.isInteger(rows) || bytes.length === 0) return null;
  const outer = dims.slice(0, axis).reduce((n, d) => n * d, 1);
  const whole = bytes.length / outer;
  const part = whole / count;
  const base = new Uint8Array(outer * part);
  for (let o = 0; o < outer; o++) {
    const start = o * whole;
    for (let i = 1; i < count; i++) {
      if (!equalAt(bytes, start, start + i * part, part)) return null;
    }
    base.set(bytes.subarray(start, start + part), o * part);
  }
  return { bytes: base, dims: dims.with(axis, rows) };
}
