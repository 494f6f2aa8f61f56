import { failure, type LifeboatFailure } from '../../model/failures.ts';
import type { Artifact, Segment } from '../../model/recovery-point.ts';
import type { AgeIdentity } from '../age-identity.ts';
import type { PlainSums } from '../packing/stream-packer.ts';
import type { Store } from '../store.ts';
import { engineFor, type StreamEngine } from '../threads/stream-threads.ts';
import { type OpenedFrame, type Problem, type Stored, StreamOpener, type Wanted } from './stream-opener.ts';
import { type Opened, openOnThread, type SegmentSource } from './thread-opener.ts';

/** What is opened. */
export type ArtifactToOpen = {
  readonly store: Store;
  readonly artifact: Artifact;
  /** An identity of its recipients, or one for each segment. */
  readonly identity: string | readonly AgeIdentity[];
  readonly signal?: AbortSignal | undefined;
  /** Where it is opened; default: beside this thread where there is more than one processor. */
  readonly engine?: StreamEngine | undefined;
};

/**
 * The frames of an artifact, each authenticated and checked. Size and SHA-256 of each segment are compared before its last frames
 * are given, those of the whole before it finishes without an error. After the first problem the rest of the object is still
 * hashed: bytes that are not the written ones are a damaged object, others are a wrong key or a defect of the writer.
 * @throws ObjectNotFound, ArtifactTruncated, ArtifactDigestMismatch, ArtifactUnreadable, KeyMissing, Store*
 */
export async function* openArtifact(of: ArtifactToOpen, wanted: Wanted): AsyncGenerator<OpenedFrame, void> {
  const { artifact, signal } = of;
  const { engine = engineFor(artifact.storedBytes) } = of;
  const open = engine === 'threads' ? openOnThread : openInline;
  let opened = 0;
  for await (const next of open(segmentSources(of), wanted)) {
    signal?.throwIfAborted();
    switch (next.kind) {
      case 'frame':
        yield next.frame;
        break;
      case 'stored':
        assertStored(artifact, opened, next.stored);
        break;
      case 'opened':
        if (next.problem !== undefined) throw unreadable(artifact, opened, next.problem);
        opened += 1;
        break;
      case 'end':
        assertWhole(artifact, next.sums);
    }
  }
}

async function* openInline(sources: Iterable<SegmentSource>, wanted: Wanted): AsyncGenerator<Opened, void> {
  const opener = new StreamOpener(wanted);
  for (const { segment, identity, bytes } of sources) {
    opener.begin(segment, identity);
    for await (const chunk of bytes) for (const frame of await opener.add(chunk)) yield { kind: 'frame', frame };
    yield { kind: 'stored', stored: opener.stored() };
    const { frames, problem } = await opener.rest();
    for (const frame of frames) yield { kind: 'frame', frame };
    yield { kind: 'opened', problem };
  }
  yield { kind: 'end', sums: opener.sums() };
}

function* segmentSources({ store, artifact, identity, signal }: ArtifactToOpen): Generator<SegmentSource, void> {
  for (const [index, segment] of artifact.segments.entries()) {
    const own = typeof identity === 'string' ? identity : identity[index];
    if (own === undefined)
      throw failure('KeyMissing', {
        message: `read artifact ${artifact.name}: no key for segment ${String(index + 1)}`,
        subject: artifact.name,
      });
    yield { segment, identity: own, bytes: untilAborted(store.read(segment.key), signal) };
  }
}

async function* untilAborted(
  bytes: AsyncIterable<Uint8Array>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, void> {
  for await (const chunk of bytes) {
    signal?.throwIfAborted();
    yield chunk;
  }
}

/** Compares an object with what was written. */
function assertStored(artifact: Artifact, index: number, { storedBytes, storedSha256, problem }: Stored): void {
  const noticed = problem === undefined ? '' : `, first noticed at frame ${String(problem.frame)}: ${problem.text}`;
  const { segment, subject, title } = place(artifact, index);
  if (storedBytes < segment.storedBytes)
    throw failure('ArtifactTruncated', {
      message: `${title} has ${String(storedBytes)} of ${String(segment.storedBytes)} bytes${noticed}`,
      subject,
    });
  if (storedBytes !== segment.storedBytes || storedSha256 !== segment.storedSha256)
    throw failure('ArtifactDigestMismatch', { message: `${title} is not what was written${noticed}`, subject });
  if (problem !== undefined) throw unreadable(artifact, index, problem);
}

function unreadable(artifact: Artifact, index: number, problem: Problem): LifeboatFailure {
  const { subject, title } = place(artifact, index);
  if (problem.noIdentity)
    return failure('KeyMissing', { message: `${title}: the identity given is none of its recipients`, subject });
  return failure('ArtifactUnreadable', {
    message: `${title}, frame ${String(problem.frame)}: ${problem.text}`,
    subject,
  });
}

/** Compares the whole plaintext with what was captured. */
function assertWhole({ name, ...captured }: Artifact, { plainBytes, plainSha256 }: PlainSums): void {
  const message = `read artifact ${name}: its segments hold ${String(plainBytes)} of ${String(captured.plainBytes)} bytes`;
  if (plainBytes < captured.plainBytes) throw failure('ArtifactTruncated', { message, subject: name });
  if (plainBytes !== captured.plainBytes || plainSha256 !== captured.plainSha256)
    throw failure('ArtifactDigestMismatch', {
      message: `${message}, and they are not the captured ones`,
      subject: name,
    });
}

/** A segment by its number from 0, and what messages call it. */
function place({ name, segments }: Artifact, index: number): { segment: Segment; subject: string; title: string } {
  // no engine speaks of more segments than it was given
  const segment = segments[index] as Segment;
  const subject = segment.key;
  return { segment, subject, title: `read artifact ${name}: segment ${String(index + 1)} (${subject})` };
}
