import { parentPort } from 'node:worker_threads';
import { OpenedStream } from '../opening/opened-stream.ts';
import { PackedStream } from '../packing/packed-stream.ts';
import type { Begin, FromOpenedStream, FromPackedStream, FromThread, Line, ToThread } from './messages.ts';

/*
 * A thread that packs and opens the streams of its process. It is there for the main thread's sake: hashing, sealing and, above
 * all, what the garbage collector does for every buffer happen here, over a heap that is nearly empty.
 */

const port = parentPort;
if (port === null) throw new Error('this file runs as a thread');

function say(message: FromThread, moved: ArrayBuffer[] = []): void {
  port?.postMessage(message, moved);
}

/** Each stream hears only messages of its own kind. */
const streams = new Map<number, { hear(message: never): void; close(): void }>();

function begin(stream: number, how: Begin): void {
  const line: Line<FromPackedStream | FromOpenedStream> = {
    say: (message, moved) => {
      say({ kind: 'says', stream, message }, moved);
    },
    fail: (error) => {
      const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
      say({ kind: 'failed', stream, message });
    },
  };
  streams.set(stream, how.kind === 'pack' ? new PackedStream(how.rules, line) : new OpenedStream(how.wanted, line));
}

port.on('message', (message: ToThread) => {
  switch (message.kind) {
    case 'begin':
      begin(message.stream, message.begin);
      return;
    case 'tell':
      streams.get(message.stream)?.hear(message.message as never);
      return;
    case 'drop':
      // what it waits for never comes; the collector takes it
      streams.get(message.stream)?.close();
      streams.delete(message.stream);
  }
});
