import { splitChart } from '../../model/chart-name.ts';
import { failure, LifeboatFailure } from '../../model/failures.ts';
import { platformReleases } from '../../model/platform.ts';
import { releaseTitle } from '../../model/release-name.ts';
import { requireWorker } from '../follow-run.ts';
import type { Session } from '../session.ts';
import { act, type Verb } from '../verb.ts';

type Finding = { readonly name: string; readonly fits: boolean; readonly said: string };

/** `lifeboat doctor` */
export const doctor: Verb = (program) => {
  program
    .command('doctor')
    .description('look at everything that a run needs, and change nothing')
    .action(
      act(async (session) => {
        const findings = await look(session);
        if (session.terminal.json) session.terminal.printJson(findings);
        else
          for (const each of findings)
            session.terminal.print(`${each.fits ? '✓' : '✗'} ${each.name.padEnd(24)} ${each.said}`);
        return findings.every((each) => each.fits) ? 0 : 1;
      }),
    );
};

async function look(session: Session): Promise<Finding[]> {
  const findings: Finding[] = [];
  const check = async (name: string, say: () => Promise<string>): Promise<void> => {
    try {
      findings.push({ name, fits: true, said: await say() });
    } catch (error) {
      const said =
        error instanceof LifeboatFailure
          ? `${error.code}: ${error.message}. ${error.hint}`
          : error instanceof Error
            ? error.message
            : String(error);
      findings.push({ name, fits: false, said });
    }
  };
  const { platform, path } = await session.platform();
  findings.push({ name: 'lifeboat.yaml', fits: true, said: `${path}, ${String(platform.releases.length)} releases` });
  await check('recovery kit', async () => {
    const kit = await session.kit();
    if (!kit.recipients.every((recipient) => platform.recipients.includes(recipient)))
      throw new Error('a recipient of the kit is not in lifeboat.yaml: new points could not be opened with it');
    return `of platform ${kit.platform}, ${String(platform.recipients.length)} recipients`;
  });
  await check('store', async () => {
    const probe = await (await session.store()).probe();
    if (!probe.conditionalPut) throw new Error(`${probe.address}: two writers of one key both succeeded`);
    return `${probe.address}, conditional PUT, ${String(Math.round(probe.latencyMs))} ms`;
  });
  await check('Temporal', async () => {
    const client = await session.client();
    await client.workflowService.describeNamespace({ namespace: platform.temporal.namespace });
    return platform.temporal.address;
  });
  await check('worker', async () => {
    await requireWorker(await session.client(), platform.temporal.namespace, 0);
    return 'polls';
  });
  const opened = await session.tools().catch(() => undefined);
  if (opened === undefined) {
    await check('tools and plans', async () => (await session.tools()).access.kubectl);
    return findings;
  }
  const [{ helmTooOld, helmVersion, releaseReader }, { kubectlMisfit, kubectlVersion, serverVersion }] =
    await Promise.all([
      import('../../activities/clients/helm.ts'),
      import('../../activities/clients/kubectl-version.ts'),
    ]);
  await check('helm', async () => {
    const version = await helmVersion(opened.access);
    const problem = helmTooOld(version);
    if (problem !== undefined) throw failure('ToolTooOld', { message: `look at helm: ${problem}` });
    return `${version} at ${opened.access.helm}`;
  });
  let server: string | undefined;
  await check('cluster', async () => {
    server = await serverVersion(opened.kubernetes);
    return `v${server} at ${opened.kubernetes.server}`;
  });
  await check('kubectl', async () => {
    const version = await kubectlVersion(opened.access);
    const problem = server === undefined ? undefined : kubectlMisfit(version, server);
    if (problem !== undefined) throw failure('ToolMissing', { message: `look at kubectl: ${problem}` });
    return `v${version} at ${opened.access.kubectl}`;
  });
  const { mover } = platform;
  if (mover?.role !== undefined)
    await check('mover', async () => {
      const { moverCredentials } = await import('../../activities/open-store.ts');
      await moverCredentials(platform, 'doctor');
      return `gets credentials of ${mover.role ?? ''} for ${mover.session}`;
    });
  const read = releaseReader(opened.access);
  const charts = new Map<string, string>();
  for (const release of platformReleases(platform)) {
    await check(releaseTitle(release), async () => {
      const live = await read(release.namespace, release.name);
      if (live === undefined)
        throw new Error(
          'Helm has no release of that name; lifeboat recover brings it back, or remove it from lifeboat.yaml',
        );
      const { name } = splitChart(live.chart);
      charts.set(releaseTitle(release), name);
      opened.plans.find(name);
      return `${live.chart}, revision ${String(live.revision)}, ${live.status}`;
    });
  }
  await check('schedules', async () => {
    const { checkSchedules } = await import('../../activities/schedule-check.ts');
    checkSchedules(opened.platform, opened.plans, charts);
    const { length } = opened.platform.schedules;
    return length === 0 ? 'none in lifeboat.yaml' : `${String(length)} that can meet the objectives`;
  });
  return findings;
}
