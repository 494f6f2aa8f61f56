import { Context } from '@temporalio/activity';
import { LifeboatFailure } from '../model/failures.ts';
import { artifactsOf, type Manifest, type Proof, type Verification } from '../model/recovery-point.ts';
import { type ReleaseName, releaseTitle } from '../model/release-name.ts';
import { checkChain } from '../transfer/chain.ts';
import { type FoundPoint, missingPoint, readLivePoints } from '../transfer/points.ts';
import { verifyArtifact } from '../transfer/read-artifact.ts';
import { type Sample, sampleArtifact } from '../transfer/sample-artifact.ts';
import { writeVerification } from '../transfer/verifications.ts';
import { reportProgress } from './activity-interceptor.ts';
import type { Backends } from './backends.ts';
import { resolveRelease, resolveReleases } from './binding/bind-release.ts';
import { currentRun } from './current-run.ts';
import { locatePoint } from './plan-recovery.ts';
import { requireConfig } from './require-config.ts';

/** A point to verify. */
export type PointReference = {
  readonly release: string;
  readonly tier: number;
  readonly point: string;
  readonly capturedAt: string;
};

/** What was read of a point; `sample` is there where it was not all. */
export type VerifiedPoint = {
  readonly plainBytes: number;
  readonly storedBytes: number;
  readonly proof: Proof;
  readonly sample?: { readonly frames: number; readonly ofFrames: number };
};

/** Reads a share of the frames of each artifact. @throws what is wrong, naming object, segment and frame */
async function readSample(backends: Backends, { manifest }: FoundPoint, share: number): Promise<Sample> {
  const sum = { frames: 0, ofFrames: 0, storedBytes: 0 };
  for (const artifact of artifactsOf(manifest)) {
    const before = sum.storedBytes;
    const read = await sampleArtifact({
      store: backends.store,
      artifact,
      identity: backends.kit.identity,
      share,
      signal: Context.current().cancellationSignal,
      onProgress: (bytes) => {
        reportProgress(`sample ${artifact.name}`, before + bytes);
      },
    });
    sum.frames += read.frames;
    sum.ofFrames += read.ofFrames;
    sum.storedBytes += read.storedBytes;
  }
  return sum;
}

/** Reads every stored byte of a point back. @throws what is wrong with it, naming object, segment and frame */
async function readBack(
  backends: Backends,
  { manifest }: FoundPoint,
): Promise<{ plainBytes: number; storedBytes: number }> {
  const signal = Context.current().cancellationSignal;
  let plainBytes = 0;
  let storedBytes = 0;
  for (const artifact of artifactsOf(manifest)) {
    const before = plainBytes;
    const verified = await verifyArtifact({
      store: backends.store,
      artifact,
      identity: backends.kit.identity,
      signal,
      onProgress: (bytes) => {
        reportProgress(`read back ${artifact.name}`, before + bytes);
      },
    });
    plainBytes += verified.plainBytes;
    storedBytes += verified.storedBytes;
  }
  return { plainBytes, storedBytes };
}

/** The activities that judge recovery points by their bytes. They change nothing but the verifications beside them. */
export function createPointActivities(backends: Backends) {
  const trustedKeys = [backends.kit.signing.publicKey];

  return {
    /**
     * Lists the points to verify: of one release or of all, the newest or every one. What is wrong with a chain itself
     * (a link that is gone, replaced or badly signed) is a failure of its release.
     */
    async listPointsToVerify(of: {
      release: string | null;
      point: string;
      all: boolean;
      configDigest: string | null;
    }): Promise<{ points: PointReference[]; broken: { release: string; code: string; message: string }[] }> {
      requireConfig(backends, of.configDigest);
      const releases = resolveReleases(backends, of.release === null ? null : [of.release]);
      const points: PointReference[] = [];
      const broken: { release: string; code: string; message: string }[] = [];
      for (const release of releases) {
        const { chain } = await readLivePoints({ store: backends.store, trustedKeys, release });
        for (const problem of checkChain(chain))
          broken.push({ release: releaseTitle(release), code: problem.code, message: problem.message });
        const good = chain.flatMap((entry) => entry.document ?? []);
        const chosen = of.all
          ? good
          : of.point === 'latest'
            ? good.slice(0, 1)
            : good.filter((manifest) => manifest.id === of.point);
        const named = of.release !== null;
        if (
          chosen.length === 0 &&
          (named || of.point === 'latest') &&
          broken.every((each) => each.release !== releaseTitle(release))
        ) {
          const missing = await missingPoint({ store: backends.store, trustedKeys, release, point: of.point, chain });
          if (named && missing.code !== 'ManifestMissing') throw missing;
          broken.push({ release: releaseTitle(release), code: missing.code, message: missing.message });
        }
        points.push(...chosen.map((manifest) => reference(release, manifest)));
      }
      return { points, broken };
    },

    /**
     * Verifies one point and writes the verdict beside it: usable, or damaged with what is wrong. Of a sample that is whole
     * nothing is written: it proves nothing of what it did not read.
     */
    async verifyPoint(of: { release: string; point: string; share?: number }): Promise<VerifiedPoint> {
      const release = resolveRelease(backends, of.release);
      const found = await locatePoint(backends, release, of.point, null);
      const base = {
        apiVersion: 'lifeboat/v1',
        kind: 'Verification',
        point: found.manifest.id,
        release,
        at: new Date().toISOString(),
        run: currentRun().runId,
      } as const;
      const write = async (
        verdict: Pick<Verification, 'outcome' | 'proof' | 'plainBytes' | 'storedBytes' | 'failure'>,
      ): Promise<void> => {
        await writeVerification({ store: backends.store, kit: backends.kit, verification: { ...base, ...verdict } });
      };
      try {
        const proof: Proof = found.verifications.some((each) => each.proof === 'restored' && each.outcome === 'usable')
          ? 'restored'
          : 'read-back';
        if (of.share !== undefined) {
          const { storedBytes, ...sample } = await readSample(backends, found, of.share);
          return { plainBytes: 0, storedBytes, proof, sample };
        }
        const read = await readBack(backends, found);
        // Only what restored a point marks it restored: the instant of that mark says when it was last proven.
        await write({ outcome: 'usable', proof: 'read-back', ...read, failure: null });
        return { ...read, proof };
      } catch (error) {
        if (error instanceof LifeboatFailure && isDamage(error)) {
          await write({
            outcome: 'damaged',
            proof: 'acknowledged',
            plainBytes: 0,
            storedBytes: 0,
            failure: { code: error.code, message: error.message },
          });
        }
        throw error;
      }
    },
  };
}

function isDamage(error: LifeboatFailure): boolean {
  return ['ObjectNotFound', 'ArtifactTruncated', 'ArtifactDigestMismatch', 'ArtifactUnreadable'].includes(error.code);
}

function reference(release: ReleaseName, manifest: Manifest): PointReference {
  return { release: releaseTitle(release), tier: manifest.tier, point: manifest.id, capturedAt: manifest.capturedAt };
}
