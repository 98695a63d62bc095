/** A limit on how much runs at once. */

/** Thrown to work that is no longer wanted. */
export class Cancelled extends Error {}

/** Says that work begun for a reader is no longer wanted. */
export interface Ticket {
  cancelled: boolean;
}

/** Runs work in order of arrival, a few at a time. */
export class Lanes {
  readonly #waiting: (() => void)[] = [];
  readonly #running = new Set<Promise<unknown>>();
  #free: number;

  constructor(limit: number) {
    this.#free = limit;
  }

  /**
   * Runs `work` when a lane is free.
   * @throws Cancelled when its ticket was cancelled before that
   */
  async run<T>(ticket: Ticket, work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      if (ticket.cancelled) throw new Cancelled('no longer wanted');
      const running = work();
      this.#running.add(running);
      try {
        return await running;
      } finally {
        this.#running.delete(running);
      }
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#free++;
    }
  }

  /** Resolves when nothing that was begun is running any more. */
  async idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.allSettled(this.#running);
  }
}
