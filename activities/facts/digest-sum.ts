import { hash } from 'node:crypto';

/** Small groups are joined here: most are. */
const scratch = Buffer.allocUnsafe(4096);

/** A sum of digests, in two halves of 64 bits. */
export class DigestSum {
  #high = 0n;
  #low = 0n;
  #count = 0;

  add(group: readonly Uint8Array[]): void {
    let size = 0;
    for (const item of group) size += 4 + item.byteLength;
    const bytes = size <= scratch.byteLength ? scratch : Buffer.allocUnsafe(size);
    let at = 0;
    for (const item of group) {
      at = bytes.writeUInt32LE(item.byteLength, at);
      bytes.set(item, at);
      at += item.byteLength;
    }
    const sum = hash('sha256', bytes.subarray(0, size), 'buffer');
    this.#high = BigInt.asUintN(64, this.#high + sum.readBigUInt64BE(0));
    this.#low = BigInt.asUintN(64, this.#low + sum.readBigUInt64BE(8));
    this.#count += 1;
  }

  get text(): string {
    return `${String(this.#count)}:${this.#high.toString(16).padStart(16, '0')}${this.#low.toString(16).padStart(16, '0')}`;
  }
}

/** The length of an item in front of it, so that no two lists of items have the same bytes. */
export function lengthOf(item: Uint8Array): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(item.byteLength);
  return bytes;
}
