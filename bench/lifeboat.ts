import { createReadStream } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { openS3Store } from '../activities/clients/s3-store.ts';
import { Artifact } from '../model/recovery-point.ts';
import { readArtifact, verifyArtifact } from '../transfer/read-artifact.ts';
import type { ByteSource } from '../transfer/source.ts';
import type { Store } from '../transfer/store.ts';
import { writeArtifact } from '../transfer/write-artifact.ts';

/**
 * The data path of Lifeboat as a process of its own, for the bench: `backup FILE RECORD`, `restore RECORD`,
 * `verify RECORD`. RECORD is the file that keeps the artifact's description. Address and keys come by
 * BENCH_* of the environment.
 */
async function main([verb = '', file = '', more = '']: readonly string[]): Promise<void> {
  const store = await openS3Store(
    { url: `s3://${need('BENCH_BUCKET')}/lifeboat`, endpoint: need('BENCH_ENDPOINT'), region: 'us-east-1' },
    { accessKeyId: need('BENCH_KEY'), secretAccessKey: need('BENCH_SECRET') },
  );
  const identity = need('BENCH_IDENTITY');
  if (verb === 'backup') {
    const artifact = await backUp(store, `run-${String(process.pid)}`, fileSource(file));
    await writeFile(more, JSON.stringify(artifact));
    return;
  }
  const artifact = Artifact.parse(JSON.parse(await readFile(file, 'utf8')));
  if (verb === 'verify') {
    await verifyArtifact({ store, artifact, identity });
    return;
  }
  if (verb !== 'restore') throw new Error(`unknown verb ${verb}`);
  for await (const chunk of readArtifact({ store, artifact, identity }))
    if (!process.stdout.write(chunk)) await new Promise((resolve) => process.stdout.once('drain', resolve));
}

function need(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set`);
  return value;
}

async function backUp(store: Store, prefix: string, source: ByteSource): Promise<Artifact> {
  return await writeArtifact({
    store,
    prefix,
    name: 'bench.dump',
    source,
    recipients: [need('BENCH_RECIPIENT'), need('BENCH_ESCROW')],
    minimumProofs: ['status'],
    restoreCommand: 'cat',
  });
}

/** A file as a command would give it: its status is seen, nothing else proves its end. */
function fileSource(file: string): ByteSource {
  const stream = file === '-' ? process.stdin : createReadStream(file, { highWaterMark: 1024 * 1024 });
  return {
    bytes: stream as AsyncIterable<Uint8Array>,
    cancel: () => stream.destroy(),
    end: () => Promise.resolve({ exitCode: 0, statusSeen: true, trailerSeen: false }),
  };
}

await main(process.argv.slice(2));
