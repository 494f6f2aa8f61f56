import { Context } from '@temporalio/activity';
import type { Moves } from '../model/drill.ts';
import { reportProgress } from './activity-interceptor.ts';
import type { Backends } from './backends.ts';
import { resolveRelease } from './binding/bind-release.ts';
import { createScratch, deleteScratch, findScratch } from './clients/scratch-namespaces.ts';
import { currentRun } from './current-run.ts';
import { capturedNamespace } from './methods/release-config.ts';
import { configurationOfPoint } from './point-configuration.ts';

/** How long the namespaces of a drill may stand before anybody may remove them. */
const lifetimeMs = 24 * 3_600_000;

/** The activities that make the namespaces of a drill, and take them away again. */
export function createScratchActivities(backends: Backends) {
  const { kubernetes } = backends;

  return {
    /**
     * Makes the scratch namespaces of a drill, each with the labels of the namespace that it stands for, as captured,
     * and the mark of this run. Idempotent because: a namespace with the mark of this run is a success.
     * Changes: namespaces. @throws DrillNamespaceExists, PointUnknown, KeyMissing
     */
    async openScratchNamespaces(of: {
      drill: string;
      moves: Moves;
      members: readonly { release: string; point: string }[];
    }): Promise<void> {
      const { runId } = currentRun();
      for (const [source, name] of Object.entries(of.moves)) {
        reportProgress(`make namespace ${name}`);
        const member = of.members.find(({ release }) => resolveRelease(backends, release).namespace === source);
        const context =
          member === undefined ? undefined : await configurationOfPoint(backends, { ...member, moves: of.moves });
        const captured = context === undefined ? undefined : await capturedNamespace(context);
        await createScratch(kubernetes, {
          name,
          drill: of.drill,
          mark: { run: runId, source, deadline: new Date(Date.now() + lifetimeMs).toISOString() },
          labels: captured?.metadata.labels ?? {},
          annotations: captured?.metadata.annotations ?? {},
        });
      }
    },

    /** Deletes every namespace with the mark of this run and waits until all of it is gone. Idempotent. */
    async closeScratchNamespaces(): Promise<void> {
      const { runId } = currentRun();
      const { cancellationSignal } = Context.current();
      const own = (await findScratch(kubernetes)).filter(({ run }) => run === runId);
      await deleteScratch(
        kubernetes,
        own.map(({ namespace }) => namespace),
        () => {
          cancellationSignal.throwIfAborted();
          reportProgress(`wait until ${own.map(({ namespace }) => namespace).join(', ')} are gone`);
        },
      );
    },
  };
}
