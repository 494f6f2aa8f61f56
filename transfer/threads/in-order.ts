/** Does pieces of work one after the other, until one fails or it is stopped. */
export class InOrder {
  readonly #onFailure: (error: unknown) => void;
  #work: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(onFailure: (error: unknown) => void) {
    this.#onFailure = onFailure;
  }

  then(work: () => Promise<void> | void): void {
    this.#work = this.#work.then(async () => {
      if (this.#stopped) return;
      try {
        await work();
      } catch (error) {
        this.#stopped = true;
        this.#onFailure(error);
      }
    });
  }

  /** Begins nothing any more; resolves when what was begun has ended. Never throws. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#work;
  }
}
