/** Cuts decrypted bytes into compressed frames of known lengths. */
export class FrameCutter {
  readonly #lengths: readonly number[];
  #index = 0;
  #frame: Buffer | undefined;
  #used = 0;

  constructor(lengths: readonly number[]) {
    this.#lengths = lengths;
  }

  /** The frames that these bytes complete. @throws Error when bytes follow the last frame */
  add(bytes: Buffer): { index: number; packed: Buffer }[] {
    const complete: { index: number; packed: Buffer }[] = [];
    for (let offset = 0; offset < bytes.byteLength; ) {
      const length = this.#lengths[this.#index];
      if (length === undefined) throw new Error('bytes follow the last frame');
      this.#frame ??= Buffer.allocUnsafeSlow(length);
      const part = bytes.subarray(offset, offset + length - this.#used);
      this.#frame.set(part, this.#used);
      this.#used += part.byteLength;
      offset += part.byteLength;
      if (this.#used < length) continue;
      complete.push({ index: this.#index, packed: this.#frame });
      this.#index += 1;
      this.#used = 0;
      this.#frame = undefined;
    }
    return complete;
  }

  /** @throws Error when a frame is missing */
  end(): void {
    if (this.#index < this.#lengths.length) throw new Error(`the file ends inside frame ${String(this.#index + 1)}`);
  }

  /** Number, from 1, of the frame that is being read. */
  get position(): number {
    return Math.min(this.#index + 1, this.#lengths.length);
  }
}
