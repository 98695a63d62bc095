/**
 * Keys and values that attention has computed for earlier tokens, so that generating a token costs one
 * pass over one token. The buffers are variables of a program: written in place, never handed over.
 */
import { ConfigError } from '../errors.js';
import { constantOf, hostTensor, input, type Tensor } from '../graph/index.js';
import { equal, expand, pad, reshape, where } from '../ops/index.js';

/** Where one attention keeps its keys and values. */
export interface CacheSlot {
  /** [batch, capacity, channels] */
  readonly key: Tensor;
  readonly value: Tensor;
}

let nextCache = 0;

/** Placeholders of the caches of all attentions of a model, in the order of its forward pass. */
export class AttentionCache {
  /** Tokens that fit. */
  readonly capacity: number;
  /** Filled by the first pass that is traced. */
  readonly slots: CacheSlot[] = [];
  private readonly name: string;

  constructor(capacity: number) {
    this.capacity = capacity;
    this.name = `cache:${nextCache++}`;
  }

  /**
   * One forward pass over the cache.
   * @param position where the one new token of this pass is written, int32 []; null for the pass over the
   *   prompt, whose tokens are written from 0 on
   */
  pass(position: Tensor | null): CachePass {
    return new CachePass(this, position);
  }

  /** The slot of the attention that asks as number `site`. */
  slot(site: number, key: Tensor, value: Tensor, capacity: number): CacheSlot {
    const known = this.slots[site];
    if (known) return known;
    const of = (part: string, { dtype, shape: [batch, , channels] }: Tensor) =>
      input(`${this.name}:${site}:${part}`, dtype, [batch!, capacity, channels!]);
    const made = { key: of('key', key), value: of('value', value) };
    this.slots[site] = made;
    return made;
  }
}

/** What attentions ask while one forward pass is traced. */
export class CachePass {
  /** New contents of the slots, to be applied after the run. */
  readonly updates = new Map<Tensor, Tensor>();
  private readonly cache: AttentionCache;
  private readonly position: Tensor | null;
  private site = 0;

  constructor(cache: AttentionCache, position: Tensor | null) {
    this.cache = cache;
    this.position = position;
  }

  /** True when there is one new token, which sees all earlier ones. */
  get stepping(): boolean {
    return this.position !== null;
  }

  /**
   * Keeps the keys and values [batch, tokens, channels] of new tokens, and gives those to attend to:
   * of the prompt itself, or of the whole buffer, [batch, capacity, channels].
   */
  append(key: Tensor, value: Tensor): { key: Tensor; value: Tensor } {
    const { capacity } = this.cache;
    const tokens = key.shape[1]!;
    if (tokens > capacity || (this.position && tokens !== 1)) {
      throw new ConfigError(
        `AttentionCache: ${tokens} new tokens do not fit; there is room for ${this.position ? 1 : capacity}.`,
        { tokens, capacity },
      );
    }
    const slot = this.cache.slot(this.site++, key, value, capacity);
    const { position } = this;
    if (!position) {
      const rest = [
        [0, 0],
        [0, capacity - tokens],
        [0, 0],
      ] as const;
      this.updates.set(slot.key, pad(key, rest));
      this.updates.set(slot.value, pad(value, rest));
      return { key, value };
    }
    const places = constantOf(
      hostTensor(
        'int32',
        [capacity],
        Array.from({ length: capacity }, (_, i) => i),
      ),
    );
    const here = reshape(equal(places, expand(reshape(position, [1]), [capacity])), [
      1,
      capacity,
      1,
    ]);
    const written = { key: where(here, key, slot.key), value: where(here, value, slot.value) };
    this.updates.set(slot.key, written.key);
    this.updates.set(slot.value, written.value);
    return written;
  }

  /**
   * Keys and values that never change, as those of an encoder's tokens: computed with the prompt, read
   * from the buffer afterwards.
   */
  fixed(make: () => { key: Tensor; value: Tensor }): { key: Tensor; value: Tensor } {
    const known = this.cache.slots[this.site];
    if (this.stepping && known) {
      this.site++;
      return known;
    }
    const made = make();
    const slot = this.cache.slot(this.site++, made.key, made.value, made.key.shape[1]!);
    if (this.stepping) return slot;
    this.updates.set(slot.key, made.key);
    this.updates.set(slot.value, made.value);
    return made;
  }
}
