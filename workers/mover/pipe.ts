import { open } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { moverPaths } from '../../model/mover-job.ts';
import { writeAndRelease } from '../../transfer/buffers.ts';
import type { ByteSource, EndReport } from '../../transfer/source.ts';

/** How long the command may take to end once its bytes have. */
const statusWithinMs = 30_000;
const askEveryMs = 50;

/** How the command ended, by its own shell. */
type CommandEnd = {
  /** Null where no status came: its container was killed. */
  readonly exitCode: number | null;
  readonly lastLine: string;
};

/** What the command beside this container writes, with its exit code as the proof of its end. */
export function pipeSource(onEnd: (end: CommandEnd) => CommandEnd): ByteSource {
  let socket: Socket | undefined;
  const cancelled = new AbortController();
  return {
    bytes: (async function* () {
      socket = await openPipe('r');
      if (!cancelled.signal.aborted) yield* socket as AsyncIterable<Uint8Array>;
    })(),
    disposable: true,
    cancel: () => {
      cancelled.abort();
      socket?.destroy();
    },
    end: async (): Promise<EndReport> => {
      const { exitCode, lastLine } = onEnd(await readCommandEnd());
      return { exitCode, statusSeen: exitCode !== null, trailerSeen: false, ...(lastLine === '' ? {} : { lastLine }) };
    },
  };
}

/** Feeds bytes, whose chunks are its own, to the command, and says how it ended. What breaks the pipe is the command's end, which tells more. */
export async function feedPipe(
  bytes: AsyncIterable<Uint8Array>,
  onBytes: (count: number) => void,
): Promise<CommandEnd> {
  const socket = await openPipe('w');
  const closed = new Promise<void>((resolve) => socket.once('close', resolve));
  socket.on('error', () => undefined);
  try {
    for await (const chunk of bytes) {
      if (socket.destroyed) break;
      const { byteLength } = chunk;
      if (!writeAndRelease(socket, chunk))
        await Promise.race([new Promise<void>((resolve) => socket.once('drain', resolve)), closed]);
      onBytes(byteLength);
    }
    socket.end();
  } catch (error) {
    socket.destroy();
    throw error;
  }
  await closed;
  return await readCommandEnd();
}

/**
 * Opens the pipe once somebody has opened its other end. As a socket: read as a file, each 64 KiB would wait for a thread of
 * libuv's pool, behind the frames that are compressed there.
 */
async function openPipe(direction: 'r' | 'w'): Promise<Socket> {
  const fd = await promisify(open)(moverPaths.pipe, direction);
  return new Socket({ fd, readable: direction === 'r', writable: direction === 'w' });
}

async function readCommandEnd(): Promise<CommandEnd> {
  const deadline = Date.now() + statusWithinMs;
  while (Date.now() < deadline) {
    const text = await readFile(moverPaths.status, 'utf8').catch(() => undefined);
    if (text === undefined) {
      await sleep(askEveryMs);
      continue;
    }
    const [code = '', ...said] = text.split('\n');
    const lines = said.map((line) => line.trim()).filter((line) => line !== '');
    return { exitCode: /^[0-9]+$/.test(code) ? Number(code) : null, lastLine: lines.at(-1) ?? '' };
  }
  return { exitCode: null, lastLine: 'the command ended without its status' };
}
