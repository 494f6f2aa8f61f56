import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { withoutLostPlans } from '../../cli/local-run.ts';
import { Platform } from '../../model/platform.ts';
import { testFolder } from '../transfer/test-sources.ts';

it('recovers without the directory of plans that stayed behind, and says so', () => {
  const directory = testFolder();
  const platform = Platform.parse({
    ...{ apiVersion: 'lifeboat/v1', platform: 'shop', cluster: { name: 'prod' }, store: { url: 'file:///backups' } },
    ...{ recipients: ['age1a', 'age1b'], releases: [{ release: 'shop/db' }], plans: './plans' },
  });
  const notes: string[] = [];
  const there = (): Platform => withoutLostPlans(platform, directory, (line) => notes.push(line));

  expect(there()).not.toHaveProperty('plans');
  expect(notes).toEqual([expect.stringContaining(`${join(directory, 'plans')} is not on this machine`)]);
  mkdirSync(join(directory, 'plans'));
  expect(there()).toEqual(platform);
  expect(notes).toHaveLength(1);
});
