/*
 * CRC-64 as Redis writes it (Jones): polynomial 0xad93d23594c935a9, reflected, initial value 0, no final xor. In two
 * halves of 32 bits, because BigInt is far slower. The CRC of bytes that are followed by their own CRC is 0.
 */
const reflectedPolynomial = 0x95ac9329ac4bc9b5n;
const lowTable = new Int32Array(256);
const highTable = new Int32Array(256);
for (let byte = 0; byte < 256; byte += 1) {
  let value = BigInt(byte);
  for (let bit = 0; bit < 8; bit += 1) value = (value & 1n) === 1n ? (value >> 1n) ^ reflectedPolynomial : value >> 1n;
  lowTable[byte] = Number(BigInt.asIntN(32, value));
  highTable[byte] = Number(BigInt.asIntN(32, value >> 32n));
}

/** A running CRC-64. */
export class Crc64 {
  #low = 0;
  #high = 0;

  update(bytes: Uint8Array): void {
    let low = this.#low;
    let high = this.#high;
    for (let index = 0; index < bytes.length; index += 1) {
      const row = (low ^ (bytes[index] as number)) & 0xff;
      low = ((low >>> 8) | (high << 24)) ^ (lowTable[row] as number);
      high = (high >>> 8) ^ (highTable[row] as number);
    }
    this.#low = low;
    this.#high = high;
  }

  get isZero(): boolean {
    return this.#low === 0 && this.#high === 0;
  }

  get value(): bigint {
    return (BigInt(this.#high >>> 0) << 32n) | BigInt(this.#low >>> 0);
  }
}
