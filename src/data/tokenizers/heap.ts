/** Queues that give what comes first. */

/** A binary heap; of two that neither comes before the other, either may be first. */
export class Heap<T> {
  private readonly items: T[] = [];

  /** @param before whether `a` comes before `b` */
  constructor(private readonly before: (a: T, b: T) => boolean) {}

  push(value: T): void {
    const { items, before } = this;
    let at = items.length;
    items.push(value);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!before(value, items[parent]!)) break;
      items[at] = items[parent]!;
      at = parent;
    }
    items[at] = value;
  }

  /** The first, taken out; undefined when there is none. */
  pop(): T | undefined {
    const { items, before } = this;
    const top = items[0];
    const last = items.pop();
    if (items.length === 0 || last === undefined) return top;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= items.length) break;
      if (child + 1 < items.length && before(items[child + 1]!, items[child]!)) child++;
      if (!before(items[child]!, last)) break;
      items[at] = items[child]!;
      at = child;
    }
    items[at] = last;
    return top;
  }
}

/** A heap of numbers, the smallest first. */
export function numberHeap(): Heap<number> {
  return new Heap((a, b) => a < b);
}
