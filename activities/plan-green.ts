import { Context } from '@temporalio/activity';
import { z } from 'zod';
import type { BoundPlan } from '../model/bound-plan.ts';
import { greenOf, releaseTitle } from '../model/release-name.ts';
import { reportProgress } from './activity-interceptor.ts';
import type { Backends } from './backends.ts';
import { readRelease, renderUpgrade } from './clients/helm.ts';
import { tryManifest } from './clients/kubectl.ts';
import { type ManifestObject, parseManifest } from './facts/manifest.ts';
import type { UpgradeProblem } from './plan-upgrade.ts';
import type { Values } from './upgrade-values.ts';

/** The release beside one that is upgraded, as it is going to be installed. */
export type PlannedGreen = {
  readonly name: string;
  /** Its values, as JSON. */
  readonly values: string;
  readonly services: readonly { service: string; selector: Record<string, string>; green: string }[];
  readonly problems: readonly UpgradeProblem[];
};

/** Values for green: names that are not made from the release's name must differ too. */
function greenValues(values: Values): Values {
  const { fullnameOverride } = values;
  return typeof fullnameOverride === 'string' && fullnameOverride !== ''
    ? { ...values, fullnameOverride: greenOf(fullnameOverride) }
    : values;
}

const Service = z.looseObject({ spec: z.looseObject({ selector: z.record(z.string(), z.string()).optional() }) });

/**
 * Plans the release beside the one that is upgraded: the chart rendered under another name and tried against the API
 * server, and which of its Services stands for which of the release's. Changes nothing.
 */
export async function planGreen(
  backends: Backends,
  bound: BoundPlan,
  of: { archive: string; values: Values; installed: string; wanted: string },
): Promise<PlannedGreen> {
  const { namespace } = bound.release;
  const name = greenOf(bound.release.name);
  const values = JSON.stringify(greenValues(of.values));
  const title = releaseTitle(bound.release);
  const green = `${namespace}/${name}`;
  const refuse = (why: string): UpgradeProblem => ({
    code: 'UpgradeRefused',
    message: `upgrade ${title} blue-green: ${why}`,
  });
  const { cancellationSignal: signal } = Context.current();
  if ((await readRelease(backends.access, namespace, name, signal)) !== undefined)
    return {
      name,
      values,
      services: [],
      problems: [refuse(`the release ${green} is there already; what it holds may be needed: look, then uninstall it`)],
    };
  reportProgress(`try the installation of ${green}`);
  const manifest = await renderUpgrade(backends.access, { archive: of.archive, namespace, name, values, signal });
  const [installed, wanted, planned] = [of.installed, of.wanted, manifest].map(parseManifest);
  const key = ({ kind, metadata }: ManifestObject): string => `${kind} ${metadata.name}`;
  const taken = new Set([...(installed ?? []), ...(wanted ?? [])].map(key));
  const shared = (planned ?? []).map(key).filter((each) => taken.has(each));
  if (shared.length > 0)
    return { name, values, services: [], problems: [refuse(`${shared.join(', ')} would be of both releases`)] };
  const problems = (await tryManifest(backends.access, { manifest, namespace, signal })).map((line) =>
    refuse(`try the installation of ${green}: ${line.slice(0, 400)}`),
  );
  // One chart, rendered twice: its Services come in the same order.
  const [own, theirs] = [wanted ?? [], planned ?? []].map((objects) =>
    objects.filter(({ kind }) => kind === 'Service'),
  );
  const services = bound.services.flatMap((service) => {
    const index = (own ?? []).findIndex(({ metadata }) => metadata.name === service);
    const selector = Service.safeParse(own?.[index]).data?.spec.selector;
    const other = theirs?.[index]?.metadata.name;
    if (selector !== undefined && other !== undefined) return [{ service, selector, green: other }];
    problems.push(refuse(`the new chart has no Service in the place of ${service}`));
    return [];
  });
  return { name, values, services, problems };
}
