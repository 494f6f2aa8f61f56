import { createReadStream, createWriteStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { moverPaths } from '../../model/mover-job.ts';
import type { ByteSource, EndReport } from '../../transfer/source.ts';

const pipeBytes = 1024 * 1024;
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
  const stream = createReadStream(moverPaths.pipe, { highWaterMark: pipeBytes });
  return {
    bytes: stream as AsyncIterable<Uint8Array>,
    disposable: true,
    cancel: () => {
      stream.destroy();
    },
    end: async (): Promise<EndReport> => {
      const { exitCode, lastLine } = onEnd(await readCommandEnd());
      return { exitCode, statusSeen: exitCode !== null, trailerSeen: false, ...(lastLine === '' ? {} : { lastLine }) };
    },
  };
}

/** Feeds bytes to the command, and says how it ended. What breaks the pipe is the command's end, which tells more. */
export async function feedPipe(
  bytes: AsyncIterable<Uint8Array>,
  onBytes: (count: number) => void,
): Promise<CommandEnd> {
  const stream = createWriteStream(moverPaths.pipe, { highWaterMark: pipeBytes });
  const closed = new Promise<void>((resolve) => stream.once('close', resolve));
  stream.on('error', () => undefined);
  try {
    for await (const chunk of bytes) {
      if (stream.destroyed) break;
      if (!stream.write(chunk))
        await Promise.race([new Promise<void>((resolve) => stream.once('drain', resolve)), closed]);
      onBytes(chunk.byteLength);
    }
    stream.end();
  } catch (error) {
    stream.destroy();
    throw error;
  }
  await closed;
  return await readCommandEnd();
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
