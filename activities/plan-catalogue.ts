import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse as parseYaml } from 'yaml';
import { z } from 'zod';
import { failure } from '../model/failures.ts';
import { nameAllowedKeys } from '../model/name-allowed-keys.ts';
import { RecoveryPlan } from '../model/recovery-plan.ts';
import { hasCode } from '../transfer/filesystem-failure.ts';
import { methods } from './methods/registry.ts';

/** A plan, where it was read and the SHA-256 of its text. */
export type LoadedPlan = {
  readonly plan: RecoveryPlan;
  readonly path: string;
  readonly text: string;
  readonly digest: string;
};

/** Plans by chart name. */
export type PlanCatalogue = {
  readonly directories: readonly string[];
  find(chart: string): LoadedPlan;
  all(): readonly LoadedPlan[];
};

/**
 * Reads every `<directory>/<chart>/recovery.yaml`; of two plans for one chart the earlier directory's holds.
 * A folder without one is no chart's.
 * @throws ConfigInvalid where a directory cannot be read; PlanInvalid naming every problem of a plan
 */
export async function loadPlans(directories: readonly string[]): Promise<PlanCatalogue> {
  const byChart = new Map<string, LoadedPlan>();
  const loaded: LoadedPlan[] = [];
  for (const directory of directories) {
    for (const folder of (await listFolders(directory)).sort()) {
      const plan = await readPlanFile(join(directory, folder, 'recovery.yaml'));
      if (plan === undefined) continue;
      loaded.push(plan);
      for (const chart of plan.plan.charts) if (!byChart.has(chart)) byChart.set(chart, plan);
    }
  }
  return {
    directories,
    all: () => loaded,
    find: (chart) => {
      const found = byChart.get(chart);
      if (found !== undefined) return found;
      const known = [...byChart.keys()].sort().join(', ');
      throw failure('PlanNotFound', {
        message: `find plan of chart ${chart}: none in ${directories.join(', ')} (there are plans for ${known})`,
      });
    },
  };
}

async function listFolders(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    const message = `read the directory of plans ${directory}: ${whyUnread(error)}`;
    throw failure('ConfigInvalid', { message, cause: error });
  }
}

/** Reads one plan, or undefined where there is no such file. @throws PlanInvalid */
export async function readPlanFile(path: string): Promise<LoadedPlan | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw failure('PlanInvalid', { message: `read plan ${path}: ${whyUnread(error)}`, cause: error });
  }
  return readPlan(text, path);
}

function whyUnread(error: unknown): string {
  if (hasCode(error, 'ENOENT')) return 'there is no such directory';
  if (hasCode(error, 'ENOTDIR')) return 'it is no directory';
  if (hasCode(error, 'EACCES')) return 'permission denied';
  return error instanceof Error ? error.message : String(error);
}

/** Parses one plan and the options of each of its components. @throws PlanInvalid */
function readPlan(text: string, path: string): LoadedPlan {
  let document: unknown;
  try {
    document = parseYaml(text);
  } catch (error) {
    throw failure('PlanInvalid', {
      message: `read plan ${path}: ${error instanceof Error ? (error.message.split('\n')[0] ?? '') : ''}`,
    });
  }
  const parsed = RecoveryPlan.safeParse(document, { error: nameAllowedKeys });
  if (!parsed.success) throw failure('PlanInvalid', { message: `read plan ${path}: ${z.prettifyError(parsed.error)}` });
  const problems = planProblems(parsed.data);
  if (problems.length > 0) throw failure('PlanInvalid', { message: `read plan ${path}: ${problems.join('; ')}` });
  return { plan: parsed.data, path, text, digest: createHash('sha256').update(text).digest('hex') };
}

/** What the schema alone cannot see: names that point nowhere and options that a method refuses. */
function planProblems(plan: RecoveryPlan): string[] {
  const problems: string[] = [];
  const workload = (name: string | undefined, where: string): void => {
    if (name !== undefined && plan.workloads[name] === undefined)
      problems.push(`${where} names the workload ${name}, which is not in workloads`);
  };
  const names = new Set<string>();
  for (const component of plan.components) {
    const where = `component ${component.name}`;
    if (names.has(component.name)) problems.push(`${where} is there twice`);
    names.add(component.name);
    workload(component.workload, where);
    if (component.host !== undefined && plan.parameters[component.host] === undefined)
      problems.push(`${where} names the parameter ${component.host}, which is not in parameters`);
    const method = methods.get(component.method);
    if (method === undefined) {
      problems.push(`${where}: unknown method ${component.method}; there are ${[...methods.keys()].sort().join(', ')}`);
      continue;
    }
    if (component.executor === 'mover' && method.moves !== true) {
      const able = [...methods.values()].filter(({ moves }) => moves === true).map(({ name }) => name);
      problems.push(`${where}: ${component.method} does not use a mover; ${able.sort().join(', ')} do`);
    }
    if (plan.overLiveData === 'swap' && method.undoRestore === undefined && method.name !== 'release-config')
      problems.push(`overLiveData is swap, but ${where} is replaced in place by ${component.method}`);
    const options = method.options.safeParse(component.options, { error: nameAllowedKeys });
    if (!options.success) problems.push(`${where}: ${z.prettifyError(options.error)}`);
  }
  for (const [name, parameter] of Object.entries(plan.parameters)) workload(parameter.workload, `parameter ${name}`);
  for (const command of [...plan.checks.health, ...plan.checks.login])
    workload(command.workload, `check ${command.name}`);
  if (plan.fence.by === 'scale') workload(plan.fence.workload, 'fence');
  if (plan.fence.by === 'services') workload(plan.fence.endSessions?.workload, 'fence');
  workload(plan.quiesce?.workload, 'quiesce');
  for (const { component } of plan.upgrade?.notCompared ?? [])
    if (!names.has(component))
      problems.push(`upgrade.notCompared names the component ${component}, which is not in components`);
  return problems;
}
