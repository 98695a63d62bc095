/** Decoded pictures kept in memory, within a budget. */

/**
 * Keeps the first values that fit. Nothing is thrown out for another: an epoch reads every picture
 * once, so what was used longest ago is what is needed next.
 */
export class PictureCache<T> {
  readonly #kept = new Map<string, T>();
  #left: number;

  /** @param bytes what all values together may take */
  constructor(bytes: number) {
    this.#left = bytes;
  }

  get(key: string): T | undefined {
    return this.#kept.get(key);
  }

  put(key: string, value: T, bytes: number): void {
    if (bytes > this.#left || this.#kept.has(key)) return;
    this.#left -= bytes;
    this.#kept.set(key, value);
  }

  clear(): void {
    this.#kept.clear();
    this.#left = 0;
  }
}
