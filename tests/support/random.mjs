// Random numbers with a seed, so that what a test did by chance can be done again.

/** The seed for a test: that of the environment variable, or one from the clock. Print it. */
export function seedFrom(variable) {
  return Number(process.env[variable] ?? Date.now() % 1_000_000);
}

/** A generator with a state of 32 bits: numbers from 0 up to 1, and whole ones, picks and waits made of them. */
export class Random {
  #state;

  constructor(seed) {
    this.#state = (seed ^ 0x9e3779b9) >>> 0;
  }

  next() {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** A whole number from `low` to `high`, both included. */
  between(low, high) {
    return low + Math.floor(this.next() * (high - low + 1));
  }

  pick(list) {
    return list[this.between(0, list.length - 1)];
  }

  /** A generator of its own, for what runs concurrently: the order in which it is asked then does not matter to the others. */
  fork() {
    return new Random(this.between(0, 2 ** 31));
  }
}
