import type { TrailerCheck } from './trailer.ts';

const tailBytes = 512;

/** Looks for `text` at the start of a line in the last 512 bytes; a dump may write a date or a blank line after it. */
export function textCheck(text: string): TrailerCheck {
  // what the stream begins with begins a line
  let tail: Buffer = Buffer.from('\n');
  return {
    update: (chunk) => {
      tail =
        chunk.byteLength >= tailBytes + 1
          ? Buffer.from(chunk.subarray(-tailBytes - 1))
          : Buffer.concat([tail, chunk]).subarray(-tailBytes - 1);
    },
    end: () => {
      const seen = tail.includes(`\n${text}`);
      return seen ? { end: 'whole' } : { end: 'cut', reason: `its last line ${JSON.stringify(text)} is missing` };
    },
  };
}
