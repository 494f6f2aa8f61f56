import type { TrailerCheck } from './trailer.ts';

const limitBytes = 64 * 1024 * 1024;

/** Parses the whole text; what is larger than 64 MiB is not kept in memory and stays unknown. */
export function jsonCheck(): TrailerCheck {
  let chunks: Buffer[] = [];
  let size = 0;
  return {
    update: (chunk) => {
      size += chunk.byteLength;
      if (size > limitBytes) chunks = [];
      else chunks.push(Buffer.from(chunk));
    },
    end: () => {
      if (size > limitBytes)
        return { end: 'unknown', reason: `JSON of more than ${String(limitBytes)} bytes is not parsed` };
      try {
        JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks)));
        return { end: 'whole' };
      } catch {
        return { end: 'cut', reason: 'it is not one whole JSON text' };
      }
    },
  };
}
