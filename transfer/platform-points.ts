import type { RecoveryKit } from '../model/recovery-kit.ts';
import { PlatformPoint } from '../model/recovery-point.ts';
import { type ChainEntry, type ChainKind, readLinks } from './chain.ts';
import { appendLink, previousOf } from './chain-append.ts';
import { platformFolder } from './point-names.ts';
import type { Store } from './store.ts';

/** What the author of a platform point knows; the rest is set by the commit. */
export type PlatformPointDraft = Omit<
  PlatformPoint,
  'apiVersion' | 'kind' | 'formatVersion' | 'sequence' | 'previous' | 'committedAt'
>;

function platformChain(platform: string): ChainKind<PlatformPoint> {
  return {
    folder: platformFolder(platform),
    noun: 'platform point',
    schema: PlatformPoint,
    belongs: (point) => point.platform === platform,
  };
}

/** Commits a platform point, as commitManifest does. Idempotent because: one with the draft's id that is there is the answer. */
export async function commitPlatformPoint(of: {
  store: Store;
  kit: RecoveryKit;
  draft: PlatformPointDraft;
  now?: Date | undefined;
}): Promise<{ platformPoint: PlatformPoint; sha256: string }> {
  const { store, kit, draft, now = new Date() } = of;
  const { document, sha256 } = await appendLink({ store, kit }, platformChain(draft.platform), draft.id, (head) =>
    Promise.resolve(
      PlatformPoint.parse({
        ...draft,
        apiVersion: 'lifeboat/v1',
        kind: 'PlatformPoint',
        formatVersion: 1,
        sequence: (head?.sequence ?? 0) + 1,
        previous: previousOf(head),
        committedAt: now.toISOString(),
      }),
    ),
  );
  return { platformPoint: document, sha256 };
}

/** The chain of a platform's points, newest first, with what is wrong with each. @throws Store* */
export function readPlatformPoints(of: {
  store: Store;
  trustedKeys: readonly string[];
  platform: string;
}): Promise<ChainEntry<PlatformPoint>[]> {
  return readLinks(of, platformChain(of.platform));
}
