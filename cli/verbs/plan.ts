import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { failure } from '../../model/failures.ts';
import { act, type Verb } from '../verb.ts';

/** `lifeboat plan check PATH` */
export const plan: Verb = (program) => {
  program
    .command('plan')
    .description('work with recovery plans')
    .command('check')
    .description('check a recovery plan, or every plan of a directory, and name every problem')
    .argument('<path>', 'recovery.yaml, the folder of a chart, or a folder of such folders')
    .action(
      act(async (session, _options, [path = ''] = []) => {
        const found = await stat(path).catch(() => undefined);
        if (found === undefined)
          throw failure('InputInvalid', { message: `check plan ${path}: there is no such file` });
        const { loadPlans, readPlanFile } = await import('../../activities/plan-catalogue.ts');
        const own = await readPlanFile(found.isFile() ? path : join(path, 'recovery.yaml'));
        const loaded = own === undefined ? (await loadPlans([path])).all() : [own];
        if (loaded.length === 0)
          throw failure('PlanNotFound', { message: `check plan ${path}: no recovery.yaml in it or in its folders` });
        const answers = loaded.map((each) => ({
          path: each.path,
          charts: each.plan.charts,
          tier: each.plan.tier,
          components: each.plan.components.map((component) => `${component.name}: ${component.method}`),
          digest: each.digest,
        }));
        if (session.terminal.json) session.terminal.printJson(answers);
        else
          for (const each of answers)
            session.terminal.print(
              `✓ ${each.path}   ${each.charts.join(', ')}, tier ${String(each.tier)}: ${each.components.join(', ')}`,
            );
        return 0;
      }),
    );
};
