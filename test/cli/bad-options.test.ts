import { beforeAll, describe, expect, it } from 'vitest';
import type { RecoveryKit } from '../../model/recovery-kit.ts';
import { filesystemStore } from '../../transfer/filesystem-store.ts';
import { testKit } from '../transfer/test-points.ts';
import { testFolder } from '../transfer/test-sources.ts';
import { type Answer, lifeboat, settle } from './command.ts';

describe('options that cannot be meant', () => {
  const home = testFolder();
  let kit: RecoveryKit;

  const asked = async (...args: readonly string[]): Promise<Answer> => await lifeboat(home, undefined, ...args);

  beforeAll(async () => {
    kit = await testKit();
    await settle(home, kit, filesystemStore(testFolder()).address);
  });

  it.each([
    [['runs', '--limit', 'all'], 'read --limit: a number from 1 on, not all'],
    [['runs', '--limit', '0'], 'read --limit: a number from 1 on, not 0'],
    [
      ['recover', '--platform', '--local', '--store', 'bucket'],
      '--store bucket: file:///directory or s3://bucket/prefix',
    ],
    [['recover', '--platform', '--context', 'spare', '--store', 's3://copy'], '--store, --context is for --local'],
    [['recover', '--platform', '--local', '--endpoint', 'minio'], '--endpoint minio: Invalid URL'],
  ])('%j is refused before any contact', async (args, said) => {
    const { code, stderr } = await asked(...args);
    expect([code, stderr]).toEqual([2, expect.stringContaining(said)]);
    expect(stderr).toMatch(/changed: nothing/);
  });
});
