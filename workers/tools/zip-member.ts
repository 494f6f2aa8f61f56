import { createWriteStream } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { PassThrough } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createInflateRaw } from 'node:zlib';

/** Sizes and signatures of the zip format. */
const endRecord = { signature: 0x06054b50, sizeBytes: 22, maxCommentBytes: 65_535 };
const directoryEntry = { signature: 0x02014b50, sizeBytes: 46 };
const localHeaderBytes = 30;

/** Writes one member of a zip archive (not zip64) to a file. The caller checks the digest of what came out. */
export async function extractZipMember(archive: string, member: string, destination: string): Promise<void> {
  const file = await open(archive);
  try {
    const entry = await findEntry(file, member);
    if (entry === undefined) throw new Error(`${member} is not in ${archive}`);
    const header = await readAt(file, entry.offset, localHeaderBytes);
    const start = entry.offset + localHeaderBytes + header.readUInt16LE(26) + header.readUInt16LE(28);
    const bytes = file.createReadStream({ start, end: start + entry.storedBytes - 1, autoClose: false });
    await pipeline(bytes, entry.deflated ? createInflateRaw() : new PassThrough(), createWriteStream(destination));
  } finally {
    await file.close();
  }
}

async function findEntry(
  file: FileHandle,
  member: string,
): Promise<{ offset: number; storedBytes: number; deflated: boolean } | undefined> {
  const directory = await readDirectory(file);
  for (
    let at = 0;
    at + directoryEntry.sizeBytes <= directory.length && directory.readUInt32LE(at) === directoryEntry.signature;
  ) {
    const nameBytes = directory.readUInt16LE(at + 28);
    const name = directory.toString('utf8', at + directoryEntry.sizeBytes, at + directoryEntry.sizeBytes + nameBytes);
    if (name === member) {
      return {
        offset: directory.readUInt32LE(at + 42),
        storedBytes: directory.readUInt32LE(at + 20),
        deflated: directory.readUInt16LE(at + 10) === 8,
      };
    }
    at += directoryEntry.sizeBytes + nameBytes + directory.readUInt16LE(at + 30) + directory.readUInt16LE(at + 32);
  }
  return undefined;
}

async function readDirectory(file: FileHandle): Promise<Buffer> {
  const { size } = await file.stat();
  const tailBytes = Math.min(size, endRecord.sizeBytes + endRecord.maxCommentBytes);
  const tail = await readAt(file, size - tailBytes, tailBytes);
  for (let at = tail.length - endRecord.sizeBytes; at >= 0; at -= 1) {
    if (tail.readUInt32LE(at) === endRecord.signature)
      return await readAt(file, tail.readUInt32LE(at + 16), tail.readUInt32LE(at + 12));
  }
  throw new Error('not a zip archive');
}

async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, position);
  return buffer.subarray(0, bytesRead);
}
