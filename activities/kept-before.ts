import { randomUUID } from 'node:crypto';
import { LifeboatFailure } from '../model/failures.ts';
import { Artifact } from '../model/recovery-point.ts';
import { readBytes } from '../transfer/read-artifact.ts';
import { readSigned, writeSigned } from '../transfer/run-documents.ts';
import { writeBytes } from '../transfer/write-artifact.ts';
import type { MethodContext } from './methods/method.ts';

type Restore = Pick<MethodContext<unknown>, 'backends' | 'component' | 'generation' | 'run'>;

function folderOf({ run, generation }: Restore): string {
  return `runs/${run ?? generation}`;
}

function keyOf(restore: Restore): string {
  return `${folderOf(restore)}/before-${restore.generation}.json`;
}

/**
 * Keeps what a restore is about to change and cannot leave beside it in its target: beside the plan of the run, encrypted
 * like a stream of a point. The first one stays: a later attempt would read what an earlier one has changed.
 */
export async function keepBefore(restore: Restore, read: () => Promise<string>): Promise<void> {
  const { backends, component } = restore;
  if ((await backends.store.head(keyOf(restore))) !== undefined) return;
  const artifact = await writeBytes({
    store: backends.store,
    prefix: `${folderOf(restore)}/before-${randomUUID()}`,
    name: component.name,
    bytes: Buffer.from(await read()),
    recipients: backends.platform.recipients,
    restoreCommand: `cat   # what ${component.name} was before its restore`,
  });
  try {
    await writeSigned(backends, keyOf(restore), artifact, { ifAbsent: true });
  } catch (error) {
    if (!(error instanceof LifeboatFailure && error.code === 'ObjectExists')) throw error;
  }
}

/** What `keepBefore` kept; undefined where the restore did not get as far. @throws SignatureInvalid, ManifestInvalid */
export async function readBefore(restore: Restore): Promise<string | undefined> {
  const { store, kit } = restore.backends;
  if ((await store.head(keyOf(restore))) === undefined) return undefined;
  const artifact = Artifact.parse(await readSigned(restore.backends, keyOf(restore)));
  return (await readBytes({ store, artifact, identity: kit.identity })).toString('utf8');
}
