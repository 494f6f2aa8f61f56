import { Context } from '@temporalio/activity';
import { failure } from '../model/failures.ts';
import type { ComponentRecord, Manifest } from '../model/recovery-point.ts';
import { releaseTitle } from '../model/release-name.ts';
import { readArtifact, readBytes, readPacked } from '../transfer/read-artifact.ts';
import type { Backends } from './backends.ts';
import { readCapturedFacts } from './captured-facts.ts';
import { currentRun } from './current-run.ts';
import { componentOf, methodContext } from './method-context.ts';
import type { RestoreContext } from './methods/method.ts';
import { isMoved, restoreMover } from './mover-context.ts';
import type { RunDocument } from './run-record.ts';

/** The record of a component in a manifest. @throws PointUnknown */
export function recordOf(manifest: Manifest, component: string): ComponentRecord {
  const record = manifest.components.find((each) => each.component === component);
  if (record === undefined)
    throw failure('PointUnknown', {
      message: `find component ${component} in point ${manifest.id} of ${releaseTitle(manifest.release)}: it was not captured`,
    });
  return record;
}

/** What the restore of a component is given. `generation` names its scratch objects and its marker in the target. */
export async function restoreContext(
  backends: Backends,
  document: RunDocument,
  manifest: Manifest,
  name: string,
  generation: string,
): Promise<RestoreContext<unknown>> {
  const component = componentOf(document.bound, name);
  const record = recordOf(manifest, name);
  const find = (stream: string) => {
    const artifact = record.artifacts.find((each) => each.name === `${name}.${stream}`);
    if (artifact === undefined)
      throw failure('ObjectNotFound', {
        message: `find stream ${stream} of ${name} in point ${manifest.id}: it has none of that name`,
      });
    return artifact;
  };
  const { store, kit } = backends;
  const signal = Context.current().cancellationSignal;
  const context = methodContext(backends, document.bound, component, generation);
  const prefix = `runs/${currentRun().runId}/${name}`;
  return {
    ...context,
    capturedIn: manifest.release.namespace,
    mover: isMoved(backends, document.bound, component, record)
      ? restoreMover(backends, context, { prefix, find })
      : undefined,
    streams: record.artifacts.map((artifact) => artifact.name.slice(name.length + 1)),
    read: (stream) => {
      const artifact = find(stream);
      return {
        bytes: readArtifact({ store, artifact, identity: kit.identity, signal }),
        packed: readPacked({ store, artifact, identity: kit.identity, signal }),
        sha256: artifact.plainSha256,
        sizeBytes: artifact.plainBytes,
      };
    },
    readText: async (stream) =>
      (await readBytes({ store, artifact: find(stream), identity: kit.identity, signal })).toString('utf8'),
    capturedFacts: await readCapturedFacts(backends, record),
    // A release that runs may have a newer password in its Secret; the captured one would lock it out.
    keepsCredentials: document.recovery?.scope === 'data',
  };
}
