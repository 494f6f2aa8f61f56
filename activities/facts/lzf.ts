/** Decompresses LZF, the format of Redis for long strings in a snapshot. Source: liblzf 3.6, lzf_d.c. */
export function decompressLzf(input: Buffer, length: number): Buffer {
  const output = Buffer.allocUnsafe(length);
  let at = 0;
  let to = 0;
  while (at < input.length) {
    const control = input[at++] as number;
    if (control < 32) {
      const size = control + 1;
      input.copy(output, to, at, at + size);
      at += size;
      to += size;
      continue;
    }
    let size = control >> 5;
    if (size === 7) size += input[at++] as number;
    let from = to - ((control & 31) << 8) - (input[at++] as number) - 1;
    if (from < 0 || to + size + 2 > length) throw new Error('a compressed string is damaged');
    for (let n = size + 2; n > 0; n -= 1) output[to++] = output[from++] as number;
  }
  if (to !== length) throw new Error('a compressed string is damaged');
  return output;
}
