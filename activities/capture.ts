import { createHash } from 'node:crypto';
import { Context } from '@temporalio/activity';
import { type BoundSummary, summarizeBoundPlan } from '../model/bound-plan.ts';
import { formatBytes } from '../model/duration.ts';
import { failure } from '../model/failures.ts';
import type { RunPlan } from '../model/outcome.ts';
import { notConfigured } from '../model/platform.ts';
import { type Artifact, artifactsOf, type ComponentRecord } from '../model/recovery-point.ts';
import { releaseTitle } from '../model/release-name.ts';
import { assertRecipients } from '../transfer/age-stream.ts';
import { commitPoint } from '../transfer/commit-point.ts';
import { readComponentRecord, writeComponentRecord } from '../transfer/component-records.ts';
import { canonicalBytes, factsDigest } from '../transfer/keys.ts';
import { newPointId, pointPrefix } from '../transfer/point-names.ts';
import { newestPoint } from '../transfer/points.ts';
import { readArtifact, verifyArtifact } from '../transfer/read-artifact.ts';
import { requireStored } from '../transfer/store-inventory.ts';
import { writeArtifact, writeBytes } from '../transfer/write-artifact.ts';
import { reportProgress } from './activity-interceptor.ts';
import type { Backends } from './backends.ts';
import { bindRelease, resolveRelease } from './binding/bind-release.ts';
import { type CapturedSummary, summarizeRecord } from './captured-summary.ts';
import { currentRun } from './current-run.ts';
import { componentOf, methodContext, methodOf } from './method-context.ts';
import { captureMover, isMoved, newestRecord } from './mover-context.ts';
import { holdForRun } from './point-holds.ts';
import { requireConfig } from './require-config.ts';
import { readRunDocument, writeRunDocument } from './run-record.ts';
import { toolName } from './tool-name.ts';

/** A backup's first answer: what it is bound to, and the id of the point that it will make. */
export type BoundBackup = {
  readonly summary: BoundSummary;
  readonly point: string;
  readonly plan: RunPlan;
  /** Steps after a backup that lifeboat.yaml does not ask for. */
  readonly notConfigured?: readonly string[];
};

/** The committed point. */
export type CommittedPoint = {
  readonly id: string;
  readonly capturedAt: string;
  readonly previousCapturedAt: string | null;
  readonly storedBytes: number;
  readonly suspect: string | null;
};

/** The activities of `backUpRelease` that read the release and write the store. */
export function createCaptureActivities(backends: Backends) {
  const { store, kit } = backends;
  const trustedKeys = [kit.signing.publicKey];
  const recipients = backends.platform.recipients;

  return {
    /** Binds the plan to the live release and writes `plan.json` of the run. Changes only the store. @throws RecipientInvalid */
    async bindForBackup(of: { release: string; configDigest: string | null }): Promise<BoundBackup> {
      requireConfig(backends, of.configDigest);
      await assertRecipients(recipients);
      const release = resolveRelease(backends, of.release);
      const bound = await bindRelease(backends, release);
      await writeRunDocument(backends, currentRun().runId, { bound, recovery: null });
      const summary = summarizeBoundPlan(bound);
      const newest = (await newestPoint({ store, trustedKeys, release }))?.manifest;
      const lines = summary.components.map((component) => {
        const skipped = component.captureWhile === 'stopped' && summary.allowDowntimeMs === null;
        return `${skipped ? 'leave out' : 'capture'} ${releaseTitle(release)} ${component.name} by ${component.method}${component.captureWhile === 'stopped' ? ' (stops the service)' : ''}`;
      });
      return {
        summary,
        point: newPointId(),
        notConfigured: notConfigured(backends.platform),
        plan: {
          digest: createHash('sha256').update(canonicalBytes(bound)).digest('hex'),
          lines,
          findings:
            newest === undefined
              ? [`${releaseTitle(release)} has no recovery point yet`]
              : [`the last point ${newest.id} has ${formatBytes(newest.storedBytes)}`],
          overwrites: [],
          objects: summary.components.length,
          bytes: newest?.plainBytes ?? 0,
          order: [{ release: releaseTitle(release), tier: summary.tier, why: `tier ${String(summary.tier)}` }],
        },
      };
    },

    /**
     * Captures one component into the store, each stream proven, its facts beside it.
     * Idempotent because: a component whose record is there is not captured again; each attempt has its own folder.
     */
    async captureComponent(of: { release: string; component: string; point: string }): Promise<CapturedSummary> {
      const since = Date.now();
      const { bound } = await readRunDocument(backends, currentRun().runId);
      const component = componentOf(bound, of.component);
      const prefix = pointPrefix(bound.release, of.point);
      await holdForRun(backends, bound.release, of.point, { uncommitted: true });
      const known = await readComponentRecord({ store, trustedKeys, prefix, component: of.component });
      if (known !== undefined) return summarizeRecord(known, 0, Date.now() - since);
      const { attempt } = Context.current().info;
      const folder = attempt === 1 ? prefix : `${prefix}/attempt-${String(attempt)}`;
      const context = methodContext(backends, bound, component, `${of.point}-${component.name}`);
      const artifacts: Artifact[] = [];
      const keep = (artifact: Artifact): Artifact => {
        artifacts.push(artifact);
        return artifact;
      };
      const inMemory = async (name: string, bytes: Uint8Array, restoreCommand: string): Promise<Artifact> =>
        await writeBytes({
          store,
          prefix: folder,
          name: `${component.name}.${name}`,
          bytes,
          recipients,
          restoreCommand,
        });
      const isByMover = isMoved(backends, bound, component, await newestRecord(backends, bound, component.name));
      const captured = await methodOf(component).capture({
        ...context,
        mover: isByMover ? captureMover(backends, context, { prefix: folder, keep }) : undefined,
        write: async (name, source, rules) =>
          keep(
            await writeArtifact({
              store,
              prefix: folder,
              name: `${component.name}.${name}`,
              source,
              recipients,
              minimumProofs: rules.minimumProofs,
              trailer: rules.trailer,
              tap: rules.tap,
              restoreCommand: rules.restoreCommand,
              signal: context.signal,
              onProgress: (bytes) => {
                reportProgress(`capture ${component.name} ${name}`, bytes);
              },
            }),
          ),
        writeBytes: async (name, bytes, restoreCommand) =>
          keep(await inMemory(name, typeof bytes === 'string' ? Buffer.from(bytes) : bytes, restoreCommand)),
        readBack: (artifact) => readArtifact({ store, artifact, identity: kit.identity, signal: context.signal }),
      });
      const record: ComponentRecord = {
        component: component.name,
        method: component.method,
        capturedAt: captured.capturedAt,
        artifacts,
        facts: await inMemory(
          'facts',
          canonicalBytes(captured.facts),
          'cat   # facts of the component, for the comparison after a restore',
        ),
        factsDigest: factsDigest(kit, captured.facts),
        totals: captured.totals,
        notes: [...(captured.notes ?? [])],
        missing: [...(captured.missing ?? [])],
      };
      await writeComponentRecord({ store, kit, prefix, record });
      return summarizeRecord(record, Object.keys(captured.facts).length, Date.now() - since);
    },

    /** Reads every stored byte of a capture back: decrypted, decompressed, hashed. Changes nothing. */
    async verifyCapture(of: {
      release: string;
      point: string;
      components: readonly string[];
    }): Promise<{ plainBytes: number; storedBytes: number }> {
      const { bound } = await readRunDocument(backends, currentRun().runId);
      const signal = Context.current().cancellationSignal;
      let plainBytes = 0;
      let storedBytes = 0;
      for (const record of await readRecords(of.components, pointPrefix(bound.release, of.point))) {
        for (const artifact of [...record.artifacts, record.facts]) {
          const before = plainBytes;
          const verified = await verifyArtifact({
            store,
            artifact,
            identity: kit.identity,
            signal,
            onProgress: (bytes) => {
              reportProgress(`read back ${artifact.name}`, before + bytes);
            },
          });
          plainBytes += verified.plainBytes;
          storedBytes += verified.storedBytes;
        }
      }
      return { plainBytes, storedBytes };
    },

    /** Commits the manifest: one conditional PUT, after which the point exists. Idempotent by the point's id. */
    async commitPoint(of: {
      release: string;
      point: string;
      components: readonly string[];
      notCaptured: readonly { component: string; reason: string }[];
      trigger: string;
    }): Promise<CommittedPoint> {
      const { bound } = await readRunDocument(backends, currentRun().runId);
      const prefix = pointPrefix(bound.release, of.point);
      await holdForRun(backends, bound.release, of.point, { uncommitted: true });
      const components = await readRecords(of.components, prefix);
      if (components.length === 0)
        throw failure('CaptureIncomplete', {
          message: `commit point of ${releaseTitle(bound.release)}: no component was captured`,
        });
      const plan = await writeBytes({
        store,
        prefix: `${prefix}/commit-${String(Context.current().info.attempt)}`,
        name: 'plan',
        bytes: canonicalBytes(bound),
        recipients,
        restoreCommand: 'cat   # the bound plan of the capture',
      });
      await verifyArtifact({ store, artifact: plan, identity: kit.identity });
      await requireStored({ store, prefix, point: of.point, artifacts: artifactsOf({ components, plan }) });
      const capturedAt = components.map((record) => record.capturedAt).sort()[0] ?? new Date().toISOString();
      const before = await newestPoint({ store, trustedKeys, release: bound.release }, ({ id }) => id !== of.point);
      const { manifest } = await commitPoint({
        store,
        kit,
        draft: {
          id: of.point,
          release: bound.release,
          chart: { name: bound.chart.name, version: bound.chart.version, appVersion: bound.chart.appVersion },
          tier: bound.tier,
          run: { ...currentRun(), trigger: of.trigger },
          capturedAt,
          proof: 'read-back',
          components,
          notCaptured: [...of.notCaptured],
          plan,
          planDigest: bound.planDigest,
          recipients: [...recipients],
          tool: toolName,
        },
      });
      return {
        id: manifest.id,
        capturedAt: manifest.capturedAt,
        previousCapturedAt: before?.manifest.capturedAt ?? null,
        storedBytes: manifest.storedBytes,
        suspect: manifest.suspect,
      };
    },

    /**
     * Deletes the objects of a point that was not committed. One with a manifest is left alone. Idempotent.
     * @throws StoreDenied where they may not be deleted: the run says what it left
     */
    async discardPoint(of: { release: string; point: string }): Promise<void> {
      const release = resolveRelease(backends, of.release);
      const committed = await newestPoint({ store, trustedKeys, release }, ({ id }) => id === of.point);
      if (committed !== undefined) return;
      for await (const { key } of store.list(`${pointPrefix(release, of.point)}/`)) await store.delete(key);
    },
  };

  async function readRecords(names: readonly string[], prefix: string): Promise<ComponentRecord[]> {
    const records: ComponentRecord[] = [];
    for (const component of names) {
      const record = await readComponentRecord({ store, trustedKeys, prefix, component });
      if (record === undefined)
        throw failure('ObjectNotFound', { message: `read record of ${component}: none under ${prefix}` });
      records.push(record);
    }
    return records;
  }
}
