/**
 * Lists whose elements are not held: each is made when it is asked for, from a file or from another list. They are
 * arrays to whoever reads them, so that what works on data in memory works on data that does not fit.
 */

const lazy = new WeakSet<object>();

/** The index that a property's name is; -1 for other names. */
function indexOf(name: string | symbol): number {
  if (typeof name !== 'string') return -1;
  const index = Number(name);
  return Number.isInteger(index) && index >= 0 && String(index) === name ? index : -1;
}

const READ_ONLY = () => false;

/**
 * A list that makes an element anew each time that it is read. It cannot be written to.
 * @param at the element at a place from 0 to `length - 1`
 */
export function lazyList<T>(length: number, at: (index: number) => T): readonly T[] {
  const target: T[] = [];
  target.length = length;
  const made = new Proxy(target, {
    get(list, name, receiver) {
      const index = indexOf(name);
      if (index < 0) return Reflect.get(list, name, receiver);
      return index < length ? at(index) : undefined;
    },
    // Array's methods pass over places that are not there.
    has(list, name) {
      const index = indexOf(name);
      return index < 0 ? Reflect.has(list, name) : index < length;
    },
    set: READ_ONLY,
    defineProperty: READ_ONLY,
    deleteProperty: READ_ONLY,
  });
  lazy.add(made);
  return made;
}

/** Whether a list makes its elements when they are read, so that it should be gone through seldom and not be copied. */
export function isLazy(list: readonly unknown[]): boolean {
  return lazy.has(list);
}

/** `list.map(change)`; of a lazy list a lazy one, which calls `change` at every reading. */
export function mapList<T, U>(
  list: readonly T[],
  change: (value: T, index: number) => U,
): readonly U[] {
  if (!isLazy(list)) return list.map(change);
  return lazyList(list.length, (i) => change(list[i]!, i));
}

/** One list after the other; lazy where one of them is. */
export function joinLists<T>(lists: readonly (readonly T[])[]): readonly T[] {
  if (!lists.some(isLazy)) return lists.flat(1) as T[];
  const ends: number[] = [];
  for (const { length } of lists) ends.push((ends.at(-1) ?? 0) + length);
  return lazyList(ends.at(-1)!, (i) => {
    let [low, high] = [0, ends.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (ends[middle]! > i) high = middle;
      else low = middle + 1;
    }
    return lists[low]![i - (low > 0 ? ends[low - 1]! : 0)]!;
  });
}
