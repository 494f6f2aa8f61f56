import { createCipheriv, createDecipheriv, createSecretKey, hkdfSync, type KeyObject, randomBytes } from 'node:crypto';
import type { Encrypter, Recipient, Stanza } from 'age-encryption';
import { failure } from '../model/failures.ts';
import type { AgeIdentity } from './age-identity.ts';
import { loadAge } from './load-age.ts';

/*
 * age v1 files (C2SP age.md): the header by age-encryption, the payload by node:crypto, which is eleven times as fast.
 * The payload is a 16-byte nonce and ChaCha20-Poly1305 chunks of 64 KiB whose nonces count up and mark the last one.
 */
const chunkBytes = 64 * 1024;
const tagBytes = 16;
const nonceBytes = 16;
const sealedChunkBytes = chunkBytes + tagBytes;
/** A header with hundreds of recipients stays below; more is damage. */
export const headerLimitBytes = 64 * 1024;

/** A recipient that adds nothing to the header and lets us see the file key. */
class CapturingRecipient implements Recipient {
  fileKey: Buffer | undefined;

  wrapFileKey(fileKey: Uint8Array): Stanza[] {
    this.fileKey = Buffer.from(fileKey);
    return [];
  }
}

/** An age file that was begun: all that its recipients decide. */
export type AgeFile = {
  /** The header and the nonce: the first bytes of the file. */
  readonly header: Buffer;
  /** Key of the payload, 32 bytes. */
  readonly key: Uint8Array;
};

/** Encrypts the payload of one age file, chunk by chunk. */
export type AgeSealer = {
  /**
   * Ciphertext of every chunk that is known not to be the last, in pieces: to join them would be one more copy. Each is made when
   * it is asked for; all of them must be.
   */
  update(plain: Uint8Array): Iterable<Buffer>;
  /** Ciphertext of the last chunk. */
  final(): Buffer;
};

/** Begins an age file that each of `recipients` (`age1…`) can open. @throws RecipientInvalid */
export async function newAgeFile(recipients: readonly string[]): Promise<AgeFile> {
  if (recipients.length === 0)
    throw failure('RecipientInvalid', { message: 'encrypt artifact: no recipient is configured' });
  const encrypter = await encrypterTo(recipients);
  const capturing = new CapturingRecipient();
  encrypter.addRecipient(capturing);
  const empty = Buffer.from(await encrypter.encrypt(new Uint8Array()));
  const end = headerEnd(empty);
  if (end === undefined || capturing.fileKey === undefined) throw new Error('age-encryption made no header');
  const nonce = randomBytes(nonceBytes);
  return { header: Buffer.concat([empty.subarray(0, end), nonce]), key: payloadKey(capturing.fileKey, nonce) };
}

/** Makes sure that each of `recipients` can be encrypted to. @throws RecipientInvalid */
export async function assertRecipients(recipients: readonly string[]): Promise<void> {
  await encrypterTo(recipients);
}

async function encrypterTo(recipients: readonly string[]): Promise<Encrypter> {
  const { Encrypter } = await loadAge();
  const encrypter = new Encrypter();
  for (const recipient of recipients)
    try {
      encrypter.addRecipient(recipient);
    } catch (cause) {
      throw failure('RecipientInvalid', { message: `encrypt artifact: ${recipient} is not an age recipient`, cause });
    }
  return encrypter;
}

/**
 * Cuts a payload into chunks. A chunk is given once a byte after it shows that it is not the last. The one that is not whole yet
 * has one buffer: what is made anew for each piece is work for the collector.
 */
class ChunkCutter {
  readonly #size: number;
  readonly #pending: Buffer;
  #used = 0;

  constructor(size: number) {
    this.#size = size;
    this.#pending = Buffer.allocUnsafeSlow(size);
  }

  /** Chunks that these bytes complete; each is to be used before the next is asked for. */
  *add(bytes: Uint8Array): Generator<Buffer, void> {
    const added = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let offset = 0; offset < added.byteLength; ) {
      if (this.#used === this.#size) {
        yield this.#pending;
        this.#used = 0;
      }
      if (this.#used === 0 && added.byteLength - offset > this.#size) {
        yield added.subarray(offset, offset + this.#size);
        offset += this.#size;
        continue;
      }
      const part = added.subarray(offset, offset + this.#size - this.#used);
      this.#pending.set(part, this.#used);
      this.#used += part.byteLength;
      offset += part.byteLength;
    }
  }

  /** What is left at the end: the last chunk. */
  rest(): Buffer {
    return this.#pending.subarray(0, this.#used);
  }
}

/** Encrypts the payload of an age file under its key. */
export function sealAgeFile(payload: Uint8Array): AgeSealer {
  // From plain bytes the library would make an object for each chunk.
  const key = createSecretKey(payload);
  const chunks = new ChunkCutter(chunkBytes);
  let counter = 0;
  const seal = (chunk: Uint8Array, last: boolean): [Buffer, Buffer] => {
    const cipher = createCipheriv('chacha20-poly1305', key, chunkNonce(counter, last), { authTagLength: tagBytes });
    counter += 1;
    const body = cipher.update(chunk);
    cipher.final();
    return [body, cipher.getAuthTag()];
  };
  return {
    *update(plain) {
      for (const chunk of chunks.add(plain)) yield* seal(chunk, false);
    },
    final: () => Buffer.concat(seal(chunks.rest(), true)),
  };
}

/** Why an age file did not open; the reader of the artifact decides what that means. */
export type AgeProblem = 'no identity fits' | 'damaged header' | 'damaged chunk' | 'ends inside a chunk';

/** Says what is wrong with an age file. Never leaves transfer/: read-artifact makes a failure of it. */
export class AgeError extends Error {
  readonly problem: AgeProblem;

  constructor(problem: AgeProblem) {
    super(problem);
    this.problem = problem;
  }
}

/** Decrypts one age file, chunk by chunk; what it returns is authenticated. */
export type AgeDecryptor = {
  /** Each chunk is opened when it is asked for; all of them must be. @throws AgeError, then too */
  update(sealed: Uint8Array): Promise<Iterable<Buffer>>;
  /** The last chunk, once the file has ended. @throws AgeError */
  final(): Buffer;
};

/** A chunk of the payload by its number from 0, authenticated. @throws AgeError */
function openChunk(key: KeyObject, counter: number, sealed: Buffer, last: boolean): Buffer {
  if (sealed.byteLength < tagBytes) throw new AgeError('ends inside a chunk');
  const decipher = createDecipheriv('chacha20-poly1305', key, chunkNonce(counter, last), { authTagLength: tagBytes });
  decipher.setAuthTag(sealed.subarray(-tagBytes));
  const plain = decipher.update(sealed.subarray(0, -tagBytes));
  try {
    decipher.final();
  } catch {
    throw new AgeError('damaged chunk');
  }
  if (last && counter > 0 && plain.byteLength === 0) throw new AgeError('damaged chunk');
  return plain;
}

/** The key of the payload and where the payload begins; undefined where these bytes do not hold the whole header. @throws AgeError */
async function openHeader(
  start: Buffer,
  identity: AgeIdentity,
): Promise<{ key: KeyObject; payloadAt: number } | undefined> {
  const end = headerEnd(start);
  if (end === undefined && start.byteLength > headerLimitBytes) throw new AgeError('damaged header');
  if (end === undefined || start.byteLength < end + nonceBytes) return undefined;
  const fileKey = await unwrapFileKey(start.subarray(0, end), identity);
  const payloadAt = end + nonceBytes;
  return { key: createSecretKey(payloadKey(fileKey, start.subarray(end, payloadAt))), payloadAt };
}

/** Opens an age file. */
export function openAgeDecryptor(identity: AgeIdentity): AgeDecryptor {
  let header: Buffer = Buffer.alloc(0);
  let key: KeyObject | undefined;
  let counter = 0;
  const chunks = new ChunkCutter(sealedChunkBytes);
  const open = (sealed: Buffer, last: boolean): Buffer => {
    if (key === undefined) throw new AgeError('damaged header');
    const plain = openChunk(key, counter, sealed, last);
    counter += 1;
    return plain;
  };
  const openAll = function* (payload: Uint8Array): Generator<Buffer, void> {
    for (const chunk of chunks.add(payload)) yield open(chunk, false);
  };
  /** Reads the header; what follows it is given back. */
  const readHeader = async (bytes: Uint8Array): Promise<Buffer | undefined> => {
    header = Buffer.concat([header, bytes]);
    const opened = await openHeader(header, identity);
    key = opened?.key;
    return opened === undefined ? undefined : header.subarray(opened.payloadAt);
  };
  return {
    update: async (bytes) => {
      const payload = key === undefined ? await readHeader(bytes) : bytes;
      return payload === undefined ? [] : openAll(payload);
    },
    final: () => open(chunks.rest(), true),
  };
}

/** Opens parts of an age file by ranges of the object. */
export type AgeRanges = {
  /** Where `length` bytes of plaintext from `at` on are in the file, whole chunks of it. */
  rangeOf(at: number, length: number): { readonly offset: number; readonly length: number };
  /** These bytes of plaintext, out of the bytes of that range. @throws AgeError */
  open(sealed: Buffer, at: number, length: number): Buffer;
};

/**
 * Opens the header of an age file whose plaintext has `plainBytes` bytes.
 * @param start - the first bytes of the file, `headerLimitBytes` of it or all
 * @throws AgeError
 */
export async function openAgeRanges(start: Buffer, identity: AgeIdentity, plainBytes: number): Promise<AgeRanges> {
  const header = await openHeader(start, identity);
  if (header === undefined) throw new AgeError('damaged header');
  const { key, payloadAt } = header;
  const lastChunk = Math.max(0, Math.ceil(plainBytes / chunkBytes) - 1);
  const sealedEnd = payloadAt + plainBytes + (lastChunk + 1) * tagBytes;
  const chunksOf = (at: number, length: number): { first: number; last: number } => ({
    first: Math.floor(at / chunkBytes),
    last: Math.max(Math.floor(at / chunkBytes), Math.floor((at + length - 1) / chunkBytes)),
  });
  return {
    rangeOf: (at, length) => {
      const { first, last } = chunksOf(at, length);
      const offset = payloadAt + first * sealedChunkBytes;
      return { offset, length: Math.min(payloadAt + (last + 1) * sealedChunkBytes, sealedEnd) - offset };
    },
    open: (sealed, at, length) => {
      const { first, last } = chunksOf(at, length);
      const plain: Buffer[] = [];
      for (let chunk = first; chunk <= last; chunk += 1) {
        const from = (chunk - first) * sealedChunkBytes;
        plain.push(openChunk(key, chunk, sealed.subarray(from, from + sealedChunkBytes), chunk === lastChunk));
      }
      const begin = at - first * chunkBytes;
      return Buffer.concat(plain).subarray(begin, begin + length);
    },
  };
}

/** The key of one age file, 16 bytes, out of its first bytes: `headerLimitBytes` of it or all. @throws AgeError */
export async function readFileKey(start: Buffer, identity: string): Promise<Buffer> {
  const end = headerEnd(start);
  if (end === undefined) throw new AgeError('damaged header');
  return await unwrapFileKey(start.subarray(0, end), identity);
}

async function unwrapFileKey(header: Buffer, identity: AgeIdentity): Promise<Buffer> {
  const { Decrypter } = await loadAge();
  const decrypter = new Decrypter();
  // the header's MAC does not fit the key of another file
  decrypter.addIdentity(typeof identity === 'string' ? identity : { unwrapFileKey: () => identity.fileKey });
  try {
    return Buffer.from(await decrypter.decryptHeader(header));
  } catch (error) {
    throw new AgeError(
      error instanceof Error && error.message.includes('no identity matched') ? 'no identity fits' : 'damaged header',
    );
  }
}

/** Where the header ends: behind the line that begins with `--- `. */
function headerEnd(file: Buffer): number | undefined {
  const mac = file.indexOf('\n--- ');
  const end = mac === -1 ? -1 : file.indexOf('\n', mac + 1);
  return end === -1 ? undefined : end + 1;
}

function payloadKey(fileKey: Uint8Array, nonce: Uint8Array): Buffer {
  return Buffer.from(hkdfSync('sha256', fileKey, nonce, 'payload', 32));
}

function chunkNonce(counter: number, last: boolean): Buffer {
  const nonce = Buffer.alloc(12);
  nonce.writeUIntBE(counter, 5, 6);
  nonce[11] = last ? 1 : 0;
  return nonce;
}
