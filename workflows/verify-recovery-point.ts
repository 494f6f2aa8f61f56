import type { VerifiedPoint } from '../activities/points.ts';
import { formatBytes } from '../model/duration.ts';
import { failure, failures, isFailureCode } from '../model/failures.ts';
import { joinOutcomes, type RunResult } from '../model/outcome.ts';
import { shareOf } from '../model/percent.ts';
import { VerifyRecoveryPointInput } from '../model/run-input.ts';
import { quick, transfer } from './run/activity-proxies.ts';
import { attempt } from './run/attempt.ts';
import { conduct } from './run/conduct.ts';
import { unknownRelease } from './run/release-draft.ts';

/**
 * Verifies recovery points by their bytes: presence, sizes, digests, decryption, decompression, and the chain of
 * manifests. Marks each point usable or damaged beside it. Changes nothing else.
 */
export async function verifyRecoveryPoint(raw?: unknown): Promise<RunResult> {
  return await conduct(
    'verifyRecoveryPoint',
    VerifyRecoveryPointInput,
    raw,
    (input) => ({
      title: `Verify ${input.release ?? 'the platform'}`,
      trigger: 'person',
      ...(input.release === undefined ? {} : { release: input.release }),
    }),
    async (run) => {
      const { input, console } = run;
      console.enter('listing points');
      const { points, broken } = await quick.listPointsToVerify({
        release: input.release ?? null,
        point: input.point,
        all: input.all,
        configDigest: input.configDigest ?? null,
      });
      console.announce(points.map((each) => `${each.release} ${each.point}`));
      // Nothing verified is not a success.
      if (points.length === 0 && broken.length === 0)
        throw failure('PointUnknown', { message: 'verify recovery points: the store has none' });
      run.begin();
      const share = input.sample === undefined ? {} : { share: shareOf(input.sample) };
      console.enter(input.sample === undefined ? 'reading back' : `reading ${input.sample}`);
      for (const { release, code, message } of broken) {
        const known = isFailureCode(code) ? code : 'ChainBroken';
        run.releases.push({
          ...unknownRelease(release),
          failure: { code: known, message, hint: failures[known].hint, changed: 'no' },
        });
      }
      for (const each of points) {
        await console.holdWhilePaused();
        const line = `${each.release} ${each.point}`;
        const draft = {
          ...unknownRelease(each.release, each.tier),
          recoveryPoint: each.point,
          capturedAt: each.capturedAt,
        };
        const verified = await attempt(console, { line, draft }, async () => {
          const read = await transfer.verifyPoint.executeWithOptions({ summary: `read back ${line}` }, [
            { release: each.release, point: each.point, ...share },
          ]);
          const said = describe(read);
          const notes = [read.sample === undefined ? `proof: ${read.proof}` : said];
          return { result: { storedBytes: read.storedBytes, notes }, said };
        });
        run.releases.push(verified);
      }
      return { outcome: joinOutcomes(run.releases.map((release) => release.outcome)) };
    },
  );
}

function describe({ plainBytes, storedBytes, proof, sample }: VerifiedPoint): string {
  if (sample === undefined) return `${formatBytes(plainBytes)}, proof ${proof}`;
  return `sampled ${String(sample.frames)} of ${String(sample.ofFrames)} frames, ${formatBytes(storedBytes)}: no proof of the rest`;
}
