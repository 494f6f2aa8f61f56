/** What a process may hold of something, shared by those who hold it at the moment: many of them need little more than one. */
export class SharedLimit {
  readonly #total: number;
  readonly #least: number;
  #users = 0;

  /**
   * @param total - what one may hold that is alone
   * @param least - what each may hold, however many there are
   */
  constructor(total: number, least: number) {
    this.#total = total;
    this.#least = least;
  }

  /** @returns how it is left, idempotent */
  enter(): () => void {
    this.#users += 1;
    let isIn = true;
    return () => {
      if (isIn) this.#users -= 1;
      isIn = false;
    };
  }

  /** What each may hold now. */
  get share(): number {
    return Math.max(this.#least, Math.floor(this.#total / Math.max(1, this.#users)));
  }
}
