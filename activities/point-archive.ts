import type { ArchiveMember } from '../model/archive-index.ts';
import { formatBytes } from '../model/duration.ts';
import { failure, failures, LifeboatFailure } from '../model/failures.ts';
import type { RecoveryKit } from '../model/recovery-kit.ts';
import type { Artifact, ComponentRecord, Manifest } from '../model/recovery-point.ts';
import { openFrameReader } from '../transfer/frame-reader.ts';
import { readArtifact, readBytes } from '../transfer/read-artifact.ts';
import { openRangeReader, type RangeReader } from '../transfer/read-range.ts';
import type { Store } from '../transfer/store.ts';
import { gatherArchiveIndex, parseArchiveIndex } from './facts/archive-index.ts';
import { fed, pushParser } from './facts/push-parser.ts';
import { readTar } from './facts/tar.ts';

/** The method whose archives can be opened file by file. */
const method = 'volume-archive';
/** An index and facts of ten million files stay below. */
const indexLimitBytes = 2 * 1024 ** 3;

/** An archive in a point, and which of its components. */
export type PointArchiveIn = {
  readonly store: Store;
  readonly kit: Pick<RecoveryKit, 'identity'>;
  readonly manifest: Manifest;
  /** Default: the only component that is an archive of files. */
  readonly component?: string | undefined;
  /** Told what takes long. */
  readonly note: (line: string) => void;
};

/** An archive of a point that can be read file by file. */
export type PointArchive = {
  readonly record: ComponentRecord;
  readonly index: readonly ArchiveMember[];
  /** Parts of the archive's plaintext. */
  readonly content: RangeReader;
};

/**
 * Opens an archive of a point by its index. A point that has none, or whose index is damaged, is read as a whole once.
 * Changes nothing.
 * @throws InputInvalid, and what reading artifacts throws
 */
export async function openPointArchive(of: PointArchiveIn): Promise<PointArchive> {
  const { store, kit, manifest } = of;
  const record = chooseRecord(manifest, of.component);
  const tar = streamOf(record, 'tar');
  if (tar === undefined)
    throw failure('ObjectNotFound', { message: `find archive of ${record.component} in ${manifest.id}: it has none` });
  const frames = openFrameReader({ store, artifact: tar, identity: kit.identity, verb: 'read artifact' });
  return { record, index: await readIndex(of, record, tar), content: openRangeReader(tar, frames) };
}

function chooseRecord({ id, components }: Manifest, name: string | undefined): ComponentRecord {
  const archives = components.filter((each) => each.method === method);
  const known = archives.map(({ component }) => component).join(', ');
  const [only, ...more] = name === undefined ? archives : archives.filter(({ component }) => component === name);
  if (only !== undefined && more.length === 0) return only;
  const why =
    archives.length === 0
      ? `${id} holds none (a component of the method ${method})`
      : name === undefined
        ? `${id} holds several, name one by --component: ${known}`
        : `${id} holds none of the component ${name}, but of ${known}`;
  throw failure('InputInvalid', { message: `find archive of files: ${why}` });
}

function streamOf(record: ComponentRecord, name: string): Artifact | undefined {
  return record.artifacts.find((artifact) => artifact.name === `${record.component}.${name}`);
}

async function readIndex(
  of: PointArchiveIn,
  record: ComponentRecord,
  tar: Artifact,
): Promise<readonly ArchiveMember[]> {
  const { store, kit, note } = of;
  const artifact = streamOf(record, 'index');
  const whole = `its archive of ${formatBytes(tar.plainBytes)} is read once as a whole`;
  if (artifact === undefined) note(`this point was made without an index: ${whole}`);
  else
    try {
      return parseArchiveIndex(await readBytes({ store, artifact, identity: kit.identity, maxBytes: indexLimitBytes }));
    } catch (error) {
      if (!(error instanceof LifeboatFailure) || failures[error.code].class !== 'integrity') throw error;
      note(`the index cannot be used (${error.code}: ${error.message}): ${whole}`);
    }
  const gathered = gatherArchiveIndex();
  const parser = pushParser(readTar(gathered.visit));
  for await (const chunk of readArtifact({ store, artifact: tar, identity: kit.identity }))
    fed(() => parser.push(chunk));
  fed(() => {
    parser.end();
  });
  return gathered.members;
}
