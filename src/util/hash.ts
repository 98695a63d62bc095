/** A fast hash of bytes for cache keys; not for security. */

/**
 * 128-bit hash of `bytes` as hexadecimal: four multiply-xor lanes over 32-bit words.
 * Two different inputs collide with a chance of about 2^-128.
 */
export function hashBytes(bytes: Uint8Array): string {
  let a = 0x9e3779b9;
  let b = 0x85ebca6b;
  let c = 0xc2b2ae35;
  let d = bytes.length | 0;
  const words = bytes.length >> 2;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let i = 0; i < words; i++) {
    const w = view.getUint32(i * 4, true);
    a = Math.imul(a ^ w, 0x85ebca6b);
    b = Math.imul(b ^ a ^ (w >>> 16), 0xc2b2ae35);
    c = Math.imul(c ^ b ^ (w << 7), 0x27d4eb2f);
    d = Math.imul(d ^ c ^ w, 0x165667b1);
    a ^= d >>> 15;
  }
  for (let i = words * 4; i < bytes.length; i++) a = Math.imul(a ^ bytes[i]!, 0x01000193);
  const lanes = [a, b, c, d].map((v, i, all) => {
    let x = v ^ all[(i + 1) & 3]!;
    x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
    x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
    return (x ^ (x >>> 16)) >>> 0;
  });
  return lanes.map((x) => x.toString(16).padStart(8, '0')).join('');
}
