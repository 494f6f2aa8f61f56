import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { filesystemStore } from '../../transfer/filesystem-store.ts';
import type { ByteSource, EndReport } from '../../transfer/source.ts';
import type { Store } from '../../transfer/store.ts';

/** SHA-256, hex. */
export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** A source that gives these bytes in chunks, and this report; `cancelled` tells whether it was cancelled. */
export function bytesSource(
  bytes: Uint8Array,
  report: Partial<EndReport> = {},
  chunkBytes = 65_536,
): ByteSource & { cancelled: boolean } {
  const source = {
    cancelled: false,
    bytes: (async function* () {
      for (let offset = 0; offset < bytes.byteLength; offset += chunkBytes)
        yield await Promise.resolve(bytes.subarray(offset, offset + chunkBytes));
    })(),
    cancel: () => {
      source.cancelled = true;
    },
    end: () => Promise.resolve({ exitCode: 0, statusSeen: true, trailerSeen: false, ...report }),
  };
  return source;
}

/** The output of a real command. */
export function commandSource(command: string): ByteSource & { kill(): void } {
  const child = spawn('bash', ['-c', command], { stdio: ['ignore', 'pipe', 'pipe'] });
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const ended = new Promise<EndReport>((resolve) => {
    child.once('close', (code, signal) => {
      resolve({
        exitCode: code ?? (signal === null ? null : 137),
        statusSeen: true,
        trailerSeen: false,
        lastLine: stderr.trimEnd().split('\n').at(-1) ?? '',
      });
    });
  });
  return {
    bytes: child.stdout as AsyncIterable<Uint8Array>,
    cancel: () => child.kill('SIGTERM'),
    kill: () => child.kill('SIGKILL'),
    end: () => ended,
  };
}

/** A new store in a directory that is removed after the tests of the file. */
export function testStore(): Store {
  return filesystemStore(testFolder());
}

const folders: string[] = [];

/** A new directory that is removed after the tests of the file. */
export function testFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'lifeboat-test-'));
  folders.push(folder);
  return folder;
}

afterAll(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** Everything that is in a store, open uploads too. */
export async function contentsOf(store: Store): Promise<string[]> {
  const keys = (await store.listOpenUploads('')).map((key) => `open: ${key}`);
  for await (const { key } of store.list('')) keys.push(key);
  return keys;
}

/** The bytes of a stream as one. */
export async function bytesOf(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Which of these commands are missing here; says so on stderr. */
export function missingTools(what: string, ...tools: readonly string[]): boolean {
  const missing = tools.filter((tool) => {
    try {
      execFileSync('sh', ['-c', `command -v ${tool}`], { stdio: 'ignore' });
      return false;
    } catch {
      return true;
    }
  });
  if (missing.length > 0)
    process.stderr.write(`SKIPPED: ${what} was not tested: ${missing.join(', ')} not installed\n`);
  return missing.length > 0;
}
