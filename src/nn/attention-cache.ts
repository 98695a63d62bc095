/**
 * Keys and values that attention has computed for earlier tokens, so that generating a token costs one
 * pass over one token. The buffers are variables of a program: written in place, never handed over.
 */
import { ConfigError } from '../errors.js';
import { constant, input, type Tensor, type TensorType } from '../graph/index.js';
import { add, cast, mul, pad, reshape, scatterND, transpose } from '../ops/index.js';

/**
 * Where one attention keeps its keys and values, head by head: as the products over them read them, so that
 * no step has to bring the whole buffer into another order.
 */
export interface CacheSlot {
  /** [batch, heads, capacity, channels of a head] */
  readonly key: Tensor;
  readonly value: Tensor;
  /** The contents stay as they are once the prompt was read: those of an encoder's tokens. */
  readonly fixed: boolean;
}

/** [batch, tokens, heads * size] to [batch, heads, tokens, size]. */
function byHead(x: Tensor, heads: number): Tensor {
  const [batch, tokens, width] = x.shape as [number, number, number];
  return transpose(reshape(x, [batch, tokens, heads, width / heads]), [0, 2, 1, 3]);
}

/** The inverse of {@link byHead}; attention splits heads again, and the two cancel out. */
function joined(x: Tensor): Tensor {
  const [batch, heads, tokens, size] = x.shape as [number, number, number, number];
  return reshape(transpose(x, [0, 2, 1, 3]), [batch, tokens, heads * size]);
}

/** `buffer` [batch, heads, capacity, size] with `x` [batch, heads, 1, size] at `position` int32 []. */
function writtenAt(buffer: Tensor, x: Tensor, position: Tensor): Tensor {
  const [batch, heads, , size] = buffer.shape as [number, number, number, number];
  const rows = batch * heads;
  const first = Array.from({ length: rows }, (_, i) => [Math.floor(i / heads), i % heads, 0]);
  const moved = mul(cast(position, 'int64'), constant([0, 0, 1], 'int64', [1, 3]));
  const places = add(constant(first.flat(), 'int64', [rows, 3]), moved);
  return scatterND(buffer, places, reshape(x, [rows, size]));
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

  /** The same slots for another number of rows: several texts that go on from each prompt. */
  withRows(rows: number): AttentionCache {
    const other = new AttentionCache(this.capacity);
    for (const [site, { key, value, fixed }] of this.slots.entries()) {
      const typed = (t: Tensor) => ({ dtype: t.dtype, shape: [rows, ...t.shape.slice(1)] });
      other.slot(site, typed(key), typed(value), fixed);
    }
    return other;
  }

  /** The slot of the attention that asks as number `site`; `key` and `value` are [batch, heads, tokens, size]. */
  slot(site: number, key: TensorType, value: TensorType, fixed: boolean): CacheSlot {
    const known = this.slots[site];
    if (known) return known;
    const of = (part: string, { dtype, shape: [batch, heads, tokens, size] }: TensorType) =>
      input(`${this.name}:${site}:${part}`, dtype, [
        batch!,
        heads!,
        fixed ? tokens! : this.capacity,
        size!,
      ]);
    const made = { key: of('key', key), value: of('value', value), fixed };
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
   * @param heads of keys and values
   */
  append(key: Tensor, value: Tensor, heads: number): { key: Tensor; value: Tensor } {
    const { capacity } = this.cache;
    const { position } = this;
    const tokens = key.shape[1]!;
    if (tokens > capacity || (position && tokens !== 1)) {
      throw new ConfigError(
        `AttentionCache: ${tokens} new tokens do not fit; there is room for ${position ? 1 : capacity}.`,
        { tokens, capacity },
      );
    }
    const split = { key: byHead(key, heads), value: byHead(value, heads) };
    const slot = this.cache.slot(this.site++, split.key, split.value, false);
    if (!position) {
      const free = [0, capacity - tokens] as const;
      const padded = (x: Tensor) => pad(x, [[0, 0], [0, 0], free, [0, 0]]);
      this.updates.set(slot.key, padded(split.key));
      this.updates.set(slot.value, padded(split.value));
      return { key, value };
    }
    const written = {
      key: writtenAt(slot.key, split.key, position),
      value: writtenAt(slot.value, split.value, position),
    };
    this.updates.set(slot.key, written.key);
    this.updates.set(slot.value, written.value);
    return { key: joined(written.key), value: joined(written.value) };
  }

  /**
   * Keys and values that never change, as those of an encoder's tokens: computed with the prompt, read
   * from the buffer afterwards.
   * @param heads of keys and values
   */
  fixed(make: () => { key: Tensor; value: Tensor }, heads: number): { key: Tensor; value: Tensor } {
    const known = this.cache.slots[this.site];
    if (this.stepping) {
      if (!known) throw new ConfigError('AttentionCache: trace the pass over the prompt first.');
      this.site++;
      return { key: joined(known.key), value: joined(known.value) };
    }
    const made = make();
    const split = { key: byHead(made.key, heads), value: byHead(made.value, heads) };
    const slot = this.cache.slot(this.site++, split.key, split.value, true);
    this.updates.set(slot.key, split.key);
    this.updates.set(slot.value, split.value);
    return made;
  }
}
