import { failure } from '../model/failures.ts';
import type { Backends } from './backends.ts';
import { kindOf } from './captured-objects.ts';
import { kubectl } from './clients/kubectl.ts';
import { namespaceExists } from './clients/kubernetes.ts';
import { lastLine } from './clients/process.ts';
import type { ManifestObject } from './facts/manifest.ts';

/** Kinds of custom resources that a recovery brings itself, as `kindOf` names them, with the names of their definitions. */
export type BroughtKinds = () => Promise<ReadonlyMap<string, string>>;

/** The namespace that objects were captured in, and the one that they are to come into; what names a third one goes there. */
type Way = { readonly from: string; readonly namespace: string };

/**
 * Why the API server would not take objects that are to come into a namespace, or undefined. Those of a kind that the cluster lacks until
 * the recovery brings it cannot be asked for; all others must be taken. Changes nothing.
 */
export async function admit(
  backends: Backends,
  objects: readonly ManifestObject[],
  { brought, ...way }: Way & { readonly brought: BroughtKinds },
): Promise<string | undefined> {
  const refused = await admitAll(backends, objects, way);
  // The groups of custom resources have a dot, as some of Kubernetes itself have.
  if (refused === undefined || objects.every((object) => !kindOf(object).includes('.'))) return shorten(refused);
  const lacking = await lackingOf(backends, await brought());
  const others = objects.filter((object) => !lacking.has(kindOf(object)));
  return shorten(others.length === objects.length ? refused : await admitAll(backends, others, way));
}

/** The kinds whose definitions the API server does not have. */
async function lackingOf({ access }: Backends, kinds: ReadonlyMap<string, string>): Promise<ReadonlySet<string>> {
  if (kinds.size === 0) return new Set();
  const args = ['get', 'customresourcedefinitions', ...new Set(kinds.values()), '--ignore-not-found', '-o', 'name'];
  const { exitCode, stdout, stderr } = await kubectl(access, args, { timeoutMs: 15_000 });
  if (exitCode !== 0) throw failure('KubernetesFailed', { message: `read definitions: ${lastLine(stderr)}` });
  const there = new Set(stdout.split('\n').map((line) => line.trim().replace(/^.*\//, '')));
  return new Set([...kinds].filter(([, definition]) => !there.has(definition)).map(([kind]) => kind));
}

/** As `admit`, of objects whose kinds the API server has. */
async function admitAll(
  backends: Backends,
  objects: readonly ManifestObject[],
  { from, namespace }: Way,
): Promise<string | undefined> {
  const places = Map.groupBy(objects, ({ metadata: { namespace: own = from } }) => (own === from ? namespace : own));
  const refused: string[] = [];
  for (const [place, those] of places) {
    const why = await admitInto(backends, those, place);
    if (why !== undefined) refused.push(why);
  }
  return refused.length === 0 ? undefined : refused.join('; ');
}

/**
 * A server-side dry run in the namespace that the objects are to come into: what runs there holds the port of a node or the host of an
 * Ingress that others would be refused. Where the namespace is gone, or what stands in it cannot be changed into them, they are new
 * ones in `default`. What a policy or a quota of the namespace forbids is forbidden.
 */
async function admitInto(
  backends: Backends,
  objects: readonly ManifestObject[],
  namespace: string,
): Promise<string | undefined> {
  const items = objects.map(({ metadata: { namespace: _own, ...metadata }, ...rest }) => ({ ...rest, metadata }));
  const input = JSON.stringify({ apiVersion: 'v1', kind: 'List', items });
  const dryRun = async (place: string): Promise<{ refused: string | undefined; forbidden: boolean }> => {
    const args = ['apply', '--server-side', '--dry-run=server', '--force-conflicts', '-n', place, '-f', '-'];
    const { exitCode, stderr } = await kubectl(backends.access, args, { input, timeoutMs: 30_000 });
    if (exitCode === 0) return { refused: undefined, forbidden: false };
    // An object that is invalid, as by a change of what may not change, is told in other words.
    return { refused: complaints(stderr), forbidden: /^Error from server/m.test(stderr) };
  };
  if (!(await namespaceExists(backends.kubernetes, namespace))) return (await dryRun('default')).refused;
  const { refused, forbidden } = await dryRun(namespace);
  if (refused === undefined || forbidden) return refused;
  return (await dryRun('default')).refused === undefined ? undefined : refused;
}

/** What kubectl refuses, one object a line, without its warnings and hints. */
function complaints(stderr: string): string {
  const lines = stderr.split('\n').map((line) => line.trim());
  return lines.filter((line) => line !== '' && !/^(Warning: |ensure CRDs are installed first$)/.test(line)).join('; ');
}

function shorten(text: string | undefined): string | undefined {
  return text?.slice(0, 600);
}
