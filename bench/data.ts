import { createCipheriv } from 'node:crypto';
import { mkdir, open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const blockBytes = 1024 * 1024;

/** Bytes that look like chance and are the same each time: the keystream of a cipher under the seed. */
function keystream(seed: number): (length: number) => Buffer {
  const key = Buffer.alloc(32);
  key.writeUInt32LE(seed);
  const cipher = createCipheriv('aes-256-ctr', key, Buffer.alloc(16));
  return (length) => cipher.update(Buffer.alloc(length));
}

/**
 * Writes a file of `megabytes` (of 10^6 bytes, rounded up to whole MiB) that compresses about as a dump of a database
 * does: three of four blocks are rows of text made of numbers and words, the fourth is random. Same seed, same bytes.
 */
export async function writeDump(file: string, megabytes: number, seed: number): Promise<number> {
  const chance = keystream(seed);
  const words = Array.from({ length: 512 }, () => chance(4).toString('hex'));
  const blocks = Math.ceil((megabytes * 1_000_000) / blockBytes);
  const handle = await open(file, 'w');
  try {
    for (let index = 0, row = 0; index < blocks; index += 1) {
      if (index % 4 === 3) {
        await handle.write(chance(blockBytes));
        continue;
      }
      const block = Buffer.alloc(blockBytes);
      for (let used = 0; used < blockBytes; row += 1) {
        const random = chance(16);
        const picked = [0, 2, 4, 6, 8].map((at) => words[random.readUInt16LE(at) % words.length]).join(' ');
        used += block.write(
          `${String(row)}\t${String(random.readUInt32LE(8))}\t2026-0${String((row % 9) + 1)}-11\t${picked}\n`,
          used,
        );
      }
      await handle.write(block);
    }
    await handle.sync();
  } finally {
    await handle.close();
  }
  return blocks * blockBytes;
}

const filesOfFolder = 200;
const largestFile = 6_000;

/**
 * Makes a directory of `count` small files, as a spool of mail has them: up to 6 kB, most much smaller, half text and half random.
 * Same seed, same files. @returns the bytes of all of them
 */
export async function writeTree(directory: string, count: number, seed: number): Promise<number> {
  const chance = keystream(seed);
  let bytes = 0;
  for (let index = 0; index < count; index += 1) {
    const folder = join(directory, String(Math.floor(index / filesOfFolder)));
    if (index % filesOfFolder === 0) await mkdir(folder, { recursive: true });
    const size = Math.floor((chance(4).readUInt32LE() / 2 ** 32) ** 3 * largestFile);
    const text = Buffer.alloc(size - Math.floor(size / 2), `Subject: ${String(index)}, about what happened\n`);
    await writeFile(join(folder, `${String(index)}.mail`), Buffer.concat([text, chance(Math.floor(size / 2))]));
    bytes += size;
  }
  return bytes;
}
