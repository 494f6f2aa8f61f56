import { randomUUID } from 'node:crypto';
import { access, constants, type FileHandle, link, mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { failure } from '../model/failures.ts';
import { filesystemFailure, hasCode } from './filesystem-failure.ts';

/** Folder of what is being written: `.uploads/<uuid>/<key>`. No key begins with a dot. */
export const uploadFolder = '.uploads';

/** How often a folder that a delete has just removed is made again. */
const folderAttempts = 5;

/** A file that becomes visible, whole and on disk, under its key. */
export class FilesystemWriter {
  readonly #root: string;
  readonly #key: string;
  readonly #scratch: string;
  readonly #temp: string;
  #handle: Promise<FileHandle> | undefined;
  #size = 0;

  constructor(root: string, key: string) {
    this.#root = root;
    this.#key = key;
    this.#scratch = join(root, uploadFolder, randomUUID());
    this.#temp = join(this.#scratch, key);
  }

  async write(bytes: Uint8Array): Promise<void> {
    try {
      const handle = await this.#open();
      for (let offset = 0; offset < bytes.byteLength; ) {
        offset += (await handle.write(bytes, offset, bytes.byteLength - offset)).bytesWritten;
      }
      this.#size += bytes.byteLength;
    } catch (error) {
      throw filesystemFailure(error, `write ${this.#key}`);
    }
  }

  /** Publishes the file. @param publish - `link` fails where the key exists (EEXIST), `rename` replaces it */
  async commit(publish: 'link' | 'rename'): Promise<{ sizeBytes: number }> {
    try {
      const handle = await this.#open();
      await handle.sync();
      const { size } = await handle.stat();
      await this.#close();
      if (size !== this.#size)
        throw failure('StoreUnreachable', {
          message: `write ${this.#key}: ${String(size)} of ${String(this.#size)} bytes are in the file`,
        });
      await this.#publish(publish);
      return { sizeBytes: size };
    } catch (error) {
      throw filesystemFailure(error, `publish ${this.#key}`);
    } finally {
      await this.abort();
    }
  }

  async abort(): Promise<void> {
    await this.#close().catch(() => undefined);
    await rm(this.#scratch, { recursive: true, force: true }).catch(() => undefined);
  }

  #open(): Promise<FileHandle> {
    this.#handle ??= (async () => {
      await assertRoot(this.#root);
      // mkdir answers ENOENT on a read-only disk; this answers EROFS
      await access(this.#root, constants.W_OK);
      await mkdir(dirname(this.#temp), { recursive: true });
      return open(this.#temp, 'wx');
    })();
    return this.#handle;
  }

  async #close(): Promise<void> {
    const handle = this.#handle;
    this.#handle = undefined;
    await (await handle)?.close();
  }

  async #publish(publish: 'link' | 'rename'): Promise<void> {
    const target = join(this.#root, this.#key);
    for (let attempt = 1; ; attempt += 1) {
      const made = await mkdir(dirname(target), { recursive: true });
      try {
        await (publish === 'link' ? link(this.#temp, target) : rename(this.#temp, target));
      } catch (error) {
        if (hasCode(error, 'ENOENT') && attempt < folderAttempts) continue;
        throw error;
      }
      // the names are on disk when the folders are, from the one that was there before down to the file's
      for (let folder = dirname(target); ; folder = dirname(folder)) {
        await syncFolder(folder);
        if (made === undefined || folder === dirname(made)) return;
      }
    }
  }
}

/** @throws StoreNotFound when the directory of the store is gone: it is never made, it could be an unmounted disk */
export async function assertRoot(root: string): Promise<void> {
  try {
    if ((await stat(root)).isDirectory()) return;
  } catch (error) {
    if (!hasCode(error, 'ENOENT', 'ENOTDIR')) throw filesystemFailure(error, `open store ${root}`);
  }
  throw failure('StoreNotFound', { message: `open store ${root}: there is no such directory` });
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
