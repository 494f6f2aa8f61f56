import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { nameAllowedKeys } from '../../model/name-allowed-keys.ts';
import {
  Approval,
  BackUpPlatformInput,
  BackUpReleaseInput,
  Decision,
  ExpireRecoveryPointsInput,
  PauseRequest,
  RecoverPlatformInput,
  RecoverReleaseInput,
  ReplicateRecoveryPointsInput,
  RunDrillInput,
  SelfTestInput,
  UpgradeReleaseInput,
  VerifyRecoveryPointInput,
} from '../../model/run-input.ts';

/** Each input as it is written with the least, and with everything. */
const inputs = {
  backUpRelease: [
    BackUpReleaseInput,
    { release: 'shop/db' },
    { release: 'shop/db', trigger: 'schedule', dryRun: true, configDigest: 'd', partOf: {} },
  ],
  backUpPlatform: [
    BackUpPlatformInput,
    undefined,
    { releases: ['shop/db'], tier: 2, trigger: 'schedule', dryRun: true, configDigest: 'd' },
  ],
  verifyRecoveryPoint: [
    VerifyRecoveryPointInput,
    undefined,
    { release: 'shop/db', point: 'p', all: true, sample: '5%', configDigest: 'd' },
  ],
  expireRecoveryPoints: [
    ExpireRecoveryPointsInput,
    undefined,
    { releases: ['shop/db'], dryRun: true, trigger: 'schedule', configDigest: 'd' },
  ],
  replicateRecoveryPoints: [
    ReplicateRecoveryPointsInput,
    undefined,
    { releases: ['shop/db'], dryRun: true, trigger: 'schedule', configDigest: 'd' },
  ],
  recoverRelease: [
    RecoverReleaseInput,
    { release: 'shop/db' },
    {
      release: 'shop/db',
      point: 'p',
      to: '2026-11-24T10:00:00Z',
      into: 'other',
      scope: 'data',
      dryRun: true,
      incidentAt: '2026-11-24T09:00:00+01:00',
      onFailure: 'abort',
      trigger: 'drill',
      configDigest: 'd',
      partOf: { lockHeld: true, approvedDigest: 'x', verified: true },
    },
  ],
  recoverPlatform: [
    RecoverPlatformInput,
    undefined,
    {
      point: 'p',
      releases: ['shop/db'],
      into: 'other',
      dryRun: true,
      incidentAt: '2026-11-24T09:00:00Z',
      onFailure: 'skip',
      trigger: 'drill',
      configDigest: 'd',
    },
  ],
  runDrill: [
    RunDrillInput,
    undefined,
    {
      release: 'shop/db',
      releases: ['shop/db'],
      platform: true,
      tier: 1,
      longestNotDrilled: true,
      point: 'p',
      acceptNotIsolated: 'test',
      dryRun: true,
      trigger: 'schedule',
      configDigest: 'd',
    },
  ],
  upgradeRelease: [
    UpgradeReleaseInput,
    { release: 'shop/db' },
    {
      release: 'shop/db',
      strategy: 'blue-green',
      maxWriteGap: '90s',
      soak: '10m',
      promote: 'ask',
      chart: 'oci://charts/db',
      version: '2.0.0',
      values: { image: { tag: '17' } },
      dryRun: true,
      trigger: 'schedule',
      configDigest: 'd',
    },
  ],
  selfTest: [SelfTestInput, undefined, { configDigest: 'd' }],
} as const;

describe.each(Object.entries(inputs))('the input of %s', (name, [schema, least, everything]) => {
  it('is what people and schedules already send', async () => {
    const golden = { least: schema.parse(least ?? {}), everything: schema.parse(everything) };

    await expect(`${JSON.stringify(golden, null, 2)}\n`).toMatchFileSnapshot(
      join(import.meta.dirname, 'golden', `${name}.json`),
    );
  });

  it('has no key that the golden file does not have', () => {
    const keys = Object.keys(z.toJSONSchema(schema, { io: 'input' }).properties ?? {});

    expect(keys.sort()).toEqual(Object.keys(everything).sort());
  });

  it('refuses an unknown key and lists the keys that are allowed', () => {
    const parsed = schema.safeParse({ ...everything, aproved: true }, { error: nameAllowedKeys });

    expect(parsed.error?.issues).toEqual([
      expect.objectContaining({
        message: `unknown key "aproved"; allowed are ${Object.keys(z.toJSONSchema(schema, { io: 'input' }).properties ?? {}).join(', ')}`,
      }),
    ]);
  });

  it('approves nothing', () => {
    for (const key of ['approve', 'approved', 'yes', 'force', 'planDigest'])
      expect(schema.safeParse({ ...everything, [key]: true }).success).toBe(false);
  });
});

describe.each([
  ['backUpPlatform', BackUpPlatformInput],
  ['recoverPlatform', RecoverPlatformInput],
  ['verifyRecoveryPoint', VerifyRecoveryPointInput],
  ['expireRecoveryPoints', ExpireRecoveryPointsInput],
  ['replicateRecoveryPoints', ReplicateRecoveryPointsInput],
  ['runDrill', RunDrillInput],
  ['selfTest', SelfTestInput],
] as const)('%s', (_name, schema) => {
  it('starts without any input', () => {
    expect(schema.parse(undefined)).toEqual(schema.parse({}));
  });
});

describe('RecoverReleaseInput', () => {
  it.each([
    {},
    { release: '' },
    { release: 'a', to: 'yesterday' },
    { release: 'a', scope: 'some' },
    { release: 'a', onFailure: 'ignore' },
    { release: 'a', dryRun: 'no' },
  ])('refuses %j', (input) => {
    expect(RecoverReleaseInput.safeParse(input).success).toBe(false);
  });
});

describe('UpgradeReleaseInput', () => {
  it('refuses values that a key calls a secret, and names them alone', () => {
    const values = {
      auth: { rootPassword: 'hunter2', existingSecret: 'db' },
      users: [{ token: 'hunter2' }],
      password: '',
    };

    const { error } = UpgradeReleaseInput.safeParse({ release: 'a', values });

    expect(error?.issues.map(({ message }) => message)).toEqual([
      'auth.rootPassword, users.0.token: an input can be read by everybody who sees the run; keep it in a Secret and name that',
    ]);
  });
});

describe('Approval, Decision and PauseRequest', () => {
  const person = { by: 'ann', reason: 'because' };

  it('want a name and a reason', () => {
    for (const missing of [
      { by: 'ann' },
      { reason: 'because' },
      { by: '', reason: 'because' },
      { by: 'ann', reason: '' },
    ]) {
      expect(Approval.safeParse({ ...missing, planDigest: 'd' }).success).toBe(false);
      expect(Decision.safeParse({ ...missing, action: 'retry' }).success).toBe(false);
      expect(PauseRequest.safeParse(missing).success).toBe(false);
    }
  });

  it('take the documented actions only', () => {
    for (const action of ['retry', 'skip', 'abort'])
      expect(Decision.safeParse({ ...person, action }).success).toBe(true);
    expect(Decision.safeParse({ ...person, action: 'force' }).success).toBe(false);
    expect(Approval.safeParse(person).success).toBe(false);
  });
});
