import type { ObjectWriter, Store } from '../../transfer/store.ts';
import { Killed } from '../models/retention-world.ts';

/** Who goes next: workers whose calls of one store fall between each other as a seed says. */
export class Turns {
  readonly #random: () => number;
  readonly #live: string[];
  readonly #waiting: { readonly who: string; readonly go: () => void }[] = [];
  #turn: string | undefined;
  #busy = false;
  /** Who made each call, in order. */
  readonly log: string[] = [];

  constructor(random: () => number, workers: readonly string[]) {
    this.#random = random;
    this.#live = [...workers];
    this.#choose();
  }

  /** Runs a call when it is this worker's turn; nobody else's call runs meanwhile. */
  async take<Value>(who: string, name: string, call: () => Promise<Value>): Promise<Value> {
    await new Promise<void>((resolve) => {
      this.#waiting.push({ who, go: resolve });
      this.#next();
    });
    this.log.push(`${who} ${name}`);
    try {
      return await call();
    } finally {
      this.#busy = false;
      this.#choose();
      this.#next();
    }
  }

  /** A worker calls no more. */
  leave(who: string): void {
    this.#live.splice(this.#live.indexOf(who), 1);
    if (this.#turn === who) this.#choose();
    this.#next();
  }

  #choose(): void {
    this.#turn = this.#live[Math.floor(this.#random() * this.#live.length)];
  }

  #next(): void {
    if (this.#busy) return;
    const index = this.#waiting.findIndex(({ who }) => who === this.#turn);
    if (index < 0) return;
    this.#busy = true;
    this.#waiting.splice(index, 1)[0]?.go();
  }
}

/**
 * The store as one worker sees it, whose calls wait for their turn.
 * @param killedAt - the number of the call before which the worker is killed: nothing of it reaches the store any more
 */
export function storeInTurns(inner: Store, turns: Turns, who: string, killedAt = Number.POSITIVE_INFINITY): Store {
  let calls = 0;
  const take = async <Value>(name: string, call: () => Promise<Value>): Promise<Value> => {
    calls += 1;
    if (calls >= killedAt) throw new Killed('killed');
    return await turns.take(who, name, call);
  };
  async function* iterate<Value>(name: string, source: () => AsyncIterable<Value>): AsyncGenerator<Value, void> {
    const values = await take(name, async () => {
      const all: Value[] = [];
      for await (const value of source()) all.push(value);
      return all;
    });
    yield* values;
  }
  const writerOf = (key: string): ObjectWriter => {
    const writer = inner.openWriter(key);
    return {
      write: (bytes) => take(`write ${key}`, () => writer.write(bytes)),
      commit: () => take(`commit ${key}`, () => writer.commit()),
      abort: () => take(`abort ${key}`, () => writer.abort()),
    };
  };
  return {
    address: inner.address,
    put: (key, bytes, options) => take(`put ${key}`, () => inner.put(key, bytes, options)),
    openWriter: writerOf,
    get: (key) => take(`get ${key}`, () => inner.get(key)),
    read: (key, range) => iterate(`read ${key}`, () => inner.read(key, range)),
    head: (key) => take(`head ${key}`, () => inner.head(key)),
    list: (prefix) => iterate(`list ${prefix}`, () => inner.list(prefix)),
    delete: (key) => take(`delete ${key}`, () => inner.delete(key)),
    listOpenUploads: (prefix) => take(`uploads ${prefix}`, () => inner.listOpenUploads(prefix)),
    abortOpenUploads: (prefix) => take(`abort ${prefix}`, () => inner.abortOpenUploads(prefix)),
    probe: () => inner.probe(),
    settings: () => inner.settings(),
  };
}
