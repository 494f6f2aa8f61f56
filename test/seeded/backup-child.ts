import { readFileSync } from 'node:fs';
import { openStore } from '../../activities/open-store.ts';
import { parseRecoveryKit } from '../../transfer/keys.ts';
import { writeArtifact } from '../../transfer/write-artifact.ts';

/*
 * A process that backs a fast source up and says what it needed: `node backup-child.ts ENDPOINT KIT BYTES`. Every half second, and at
 * its end, it prints a line: bytes read from the source, and the most memory that it had, in bytes.
 */
const [endpoint = '', kitFile = '', sizeText = ''] = process.argv.slice(2);
const size = Number(sizeText);
const kit = await parseRecoveryKit(readFileSync(kitFile, 'utf8'));
const store = await openStore(
  { url: 's3://bucket/dr', endpoint, region: 'us-east-1' },
  { accessKeyId: 'child', secretAccessKey: 'secret' },
);
const block = Buffer.alloc(65_536);
let readBytes = 0;

async function* fast(): AsyncGenerator<Uint8Array, void> {
  for (; readBytes < size; readBytes += block.byteLength) {
    // a stream of its own bytes, that does not compress
    const chunk = new Uint8Array(block.byteLength);
    crypto.getRandomValues(chunk);
    yield await Promise.resolve(chunk);
  }
}

/** Of this program alone: the `maxRSS` of a process also counts what its parent had when it was started. */
function mostMemoryBytes(): number {
  const [, kilobytes] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
  if (kilobytes === undefined) throw new Error('/proc/self/status has no VmHWM');
  return Number(kilobytes) * 1024;
}

function report(): void {
  process.stdout.write(`${JSON.stringify({ readBytes, memoryBytes: mostMemoryBytes() })}\n`);
}

const timer = setInterval(report, 500);
await writeArtifact({
  ...{ store, prefix: 'points/p', name: 'db', recipients: kit.recipients, minimumProofs: [], restoreCommand: 'cat' },
  source: {
    bytes: fast(),
    disposable: true,
    cancel: () => undefined,
    end: () => Promise.resolve({ exitCode: 0, statusSeen: true, trailerSeen: false }),
  },
});
clearInterval(timer);
report();
