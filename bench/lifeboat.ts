import { readFile, writeFile } from 'node:fs/promises';
import { openS3Store } from '../activities/clients/s3-store.ts';
import { Artifact } from '../model/recovery-point.ts';
import { readArtifact, verifyArtifact } from '../transfer/read-artifact.ts';
import { writeArtifact } from '../transfer/write-artifact.ts';

/**
 * The data path of Lifeboat as a process of its own, for the bench: `backup RECORD` of its stdin, `restore RECORD`,
 * `verify RECORD`. RECORD is the file that keeps the artifact's description. Address and keys come by BENCH_* of the
 * environment.
 */
async function main([verb = '', record = '']: readonly string[]): Promise<void> {
  const store = await openS3Store(
    { url: `s3://${need('BENCH_BUCKET')}/lifeboat`, endpoint: need('BENCH_ENDPOINT'), region: 'us-east-1' },
    { accessKeyId: need('BENCH_KEY'), secretAccessKey: need('BENCH_SECRET') },
  );
  if (verb === 'backup') {
    const artifact = await writeArtifact({
      store,
      prefix: `run-${String(process.pid)}`,
      name: 'bench.dump',
      // As a command would give it: its status is seen, nothing else proves its end.
      source: {
        bytes: process.stdin as AsyncIterable<Uint8Array>,
        disposable: true,
        cancel: () => process.stdin.destroy(),
        end: () => Promise.resolve({ exitCode: 0, statusSeen: true, trailerSeen: false }),
      },
      recipients: [need('BENCH_RECIPIENT'), need('BENCH_ESCROW')],
      minimumProofs: ['status'],
      restoreCommand: 'cat',
    });
    await writeFile(record, JSON.stringify(artifact));
    return;
  }
  const artifact = Artifact.parse(JSON.parse(await readFile(record, 'utf8')));
  const identity = need('BENCH_IDENTITY');
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

await main(process.argv.slice(2));
