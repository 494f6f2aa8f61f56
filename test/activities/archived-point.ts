import { execFileSync } from 'node:child_process';
import { readCapturedFacts } from '../../activities/captured-facts.ts';
import { extractFiles } from '../../activities/extract-files.ts';
import { chooseMembers } from '../../activities/facts/choose-members.ts';
import type { MethodContext } from '../../activities/methods/method.ts';
import { volumeArchive } from '../../activities/methods/volume-archive.ts';
import { openPointArchive } from '../../activities/point-archive.ts';
import type { RecoveryKit } from '../../model/recovery-kit.ts';
import type { Artifact, Manifest } from '../../model/recovery-point.ts';
import { canonicalBytes } from '../../transfer/keys.ts';
import { pointPrefix } from '../../transfer/point-names.ts';
import { commitManifest } from '../../transfer/points.ts';
import { type ByteSource, memorySource } from '../../transfer/source.ts';
import type { Store } from '../../transfer/store.ts';
import { writeArtifact } from '../../transfer/write-artifact.ts';
import { describedComponent, draftAt, release, testKit } from '../transfer/test-points.ts';
import { testStore } from '../transfer/test-sources.ts';
import { localKubectl, localPod } from './local-kubectl.ts';

/** What a method of a volume is given. */
export type ArchiveContext = MethodContext<Parameters<typeof volumeArchive.capture>[0]['options']>;

/** Writes files of a point into a directory that is not there yet. */
export async function extractFrom(point: ArchivedPoint, paths: readonly string[], to: string): Promise<void> {
  const archive = await openPointArchive({ ...point, note: () => undefined });
  const facts = await readCapturedFacts(point, archive.record);
  await extractFiles({ archive, to, facts, chosen: chooseMembers(archive.index, paths) });
}

/** What a method of a volume is given for a directory of this machine. @param before - shell before each command */
export async function archiveContext(mountPath: string, before = ''): Promise<ArchiveContext> {
  return {
    backends: { access: await localKubectl({ before }) } as ArchiveContext['backends'],
    bound: { release: { namespace: 'odd' }, plan: { compare: [] } } as unknown as ArchiveContext['bound'],
    component: {
      ...{ name: 'files', executor: 'exec', captureWhile: 'running', restoreWhile: 'running' },
    } as unknown as ArchiveContext['component'],
    options: volumeArchive.options.parse({ mountPath }),
    workload: undefined,
    signal: new AbortController().signal,
    generation: 'test',
    progress: () => undefined,
    pod: () => Promise.resolve(localPod),
  };
}

/** A committed point with an archive, and where it is. */
export type ArchivedPoint = { readonly store: Store; readonly kit: RecoveryKit; readonly manifest: Manifest };

/**
 * Captures a directory, or what a context leads to, into a point of a store of its own, in small frames.
 * @param of.tar - the archive in place of the one that is captured
 * @param of.withoutIndex - as versions before the index left it
 */
export async function archivedPoint(of: {
  readonly directory?: string;
  readonly context?: ArchiveContext;
  readonly frameBytes?: number;
  readonly tar?: Buffer;
  readonly withoutIndex?: boolean;
}): Promise<ArchivedPoint> {
  const { directory = '/', frameBytes = 100_000 } = of;
  const [kit, store, draft] = [await testKit(), testStore(), draftAt(0)];
  const prefix = pointPrefix(release, draft.id);
  const write = async (name: string, source: ByteSource, tap?: (chunk: Uint8Array) => void): Promise<Artifact> =>
    await writeArtifact({
      ...{ store, prefix, name: `files.${name}`, source, recipients: kit.recipients, tap },
      ...{ minimumProofs: ['status'], restoreCommand: 'cat', frameBytes, segmentBytes: 10 * frameBytes },
    });
  const artifacts: Artifact[] = [];
  const captured = await volumeArchive.capture({
    ...(of.context ?? (await archiveContext(directory))),
    write: async (name, source, { tap }) => {
      const given = of.tar === undefined ? source : memorySource(of.tar);
      artifacts.push(await write(name, given, tap));
      return artifacts[0] as Artifact;
    },
    writeBytes: async (name, bytes) => {
      const artifact = await write(name, memorySource(Buffer.from(bytes)));
      if (of.withoutIndex !== true) artifacts.push(artifact);
      return artifact;
    },
    readBack: () => {
      throw new Error('not asked for');
    },
  });
  const facts = await write('facts', memorySource(canonicalBytes(captured.facts)));
  const component = {
    ...describedComponent(prefix, 1),
    component: 'files',
    method: 'volume-archive',
    artifacts,
    facts,
  };
  const { manifest } = await commitManifest({ store, kit, draft: { ...draft, components: [component] } });
  return { store, kit, manifest };
}

/** Removes folders whatever their modes are. */
export function removeFolders(folders: readonly string[]): void {
  for (const folder of folders) execFileSync('sh', ['-c', 'chmod -R u+rwx "$1"; rm -rf "$1"', 'sh', folder]);
}
