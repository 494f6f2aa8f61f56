import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { loadPlans, readPlanFile } from '../../activities/plan-catalogue.ts';
import { testFolder } from '../transfer/test-sources.ts';

const builtIn = join(import.meta.dirname, '..', '..', 'charts');

describe('loadPlans', () => {
  let directory: string;
  const file = (...path: readonly string[]): string => join(directory, ...path);

  beforeEach(() => {
    directory = testFolder();
  });

  it('takes a plan of the first directory before one of the next, and passes over what is no chart', async () => {
    mkdirSync(file('redis'));
    mkdirSync(file('notes'));
    writeFileSync(file('README.md'), '');
    copyFileSync(join(builtIn, 'redis', 'recovery.yaml'), file('redis', 'recovery.yaml'));

    const plans = await loadPlans([directory, builtIn]);

    expect(plans.find('redis').path).toBe(file('redis', 'recovery.yaml'));
    expect(plans.find('postgresql').path).toBe(join(builtIn, 'postgresql', 'recovery.yaml'));
  });

  it('refuses a directory that is not there or is none, before it takes a built-in plan instead', async () => {
    writeFileSync(file('a-file'), '');
    await expect(loadPlans([file('nowhere'), builtIn])).rejects.toMatchObject({
      code: 'ConfigInvalid',
      message: `read the directory of plans ${file('nowhere')}: there is no such directory`,
    });
    await expect(loadPlans([file('a-file'), builtIn])).rejects.toMatchObject({
      code: 'ConfigInvalid',
      message: `read the directory of plans ${file('a-file')}: it is no directory`,
    });
  });

  it('refuses a plan that promises a swap which a method of it does not make', async () => {
    mkdirSync(file('redis'));
    const plan = readFileSync(join(builtIn, 'redis', 'recovery.yaml'), 'utf8');
    writeFileSync(file('redis', 'recovery.yaml'), plan.replace('overLiveData: in-place', 'overLiveData: swap'));

    await expect(loadPlans([directory])).rejects.toMatchObject({
      code: 'PlanInvalid',
      message: expect.stringContaining(
        'overLiveData is swap, but component data is replaced in place by redis-rdb',
      ) as string,
    });
  });

  it('refuses a plan that is there and cannot be read', async () => {
    mkdirSync(file('redis', 'recovery.yaml'), { recursive: true });
    const refused = {
      code: 'PlanInvalid',
      message: expect.stringMatching(`^read plan ${file('redis', 'recovery.yaml')}: EISDIR`) as string,
    };
    await expect(loadPlans([directory, builtIn])).rejects.toMatchObject(refused);
    await expect(readPlanFile(file('redis', 'recovery.yaml'))).rejects.toMatchObject(refused);
    expect(await readPlanFile(file('none', 'recovery.yaml'))).toBeUndefined();
  });
});
