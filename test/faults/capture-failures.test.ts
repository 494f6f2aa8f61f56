import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { expectAsItWas, expectFailedRun, expectFailure } from './expect-failure.ts';
import { type FaultName, type FaultsGround, openFaultsGround } from './faults-ground.ts';

describe('a capture that fails', () => {
  let ground: FaultsGround;

  beforeAll(async () => {
    ground = await openFaultsGround('capture');
  });

  afterEach(async () => {
    await ground.inject('none');
  });

  afterAll(async () => {
    await ground.close();
  });

  it.each<{ fault: FaultName; code: 'CaptureToolMissing' | 'DumpFailed'; message: RegExp }>([
    {
      fault: 'dump tool missing',
      code: 'CaptureToolMissing',
      message: /^capture databases\.database-shop: exit 127, .*pg_dump-is-not-in-this-image.*not found/,
    },
    { fault: 'dump killed half way', code: 'DumpFailed', message: /^capture databases\.database-shop: exit 137/ },
  ])('is not green, with the $fault: $code', async ({ fault, code, message }) => {
    await ground.inject(fault);

    const { result } = await expectFailure(ground, ['backup', ground.names.postgresql], {
      outcome: 'failed',
      code,
      message,
      compensation: 'done',
    });

    expect(result.releases[0]?.recoveryPoint).toBeNull();
  });

  it('of every release, with streams that are cut cleanly, makes the backup of the platform failed: DumpEndedEarly', async () => {
    await ground.inject('streams cut cleanly');

    const { result } = await expectFailure(ground, ['backup'], {
      outcome: 'failed',
      code: 'DumpEndedEarly',
      message: /after \d{5,} bytes |the 65496 bytes/,
      compensation: 'done',
    });

    const messages = new Map(result.releases.map(({ release, failure }) => [release, failure?.message]));
    // The first is packed on its way; before the bytes of the other one its pod says that they are not.
    expect(messages.get(ground.names.postgresql)).toMatch(/^capture databases\.database-shop: after \d{5,} bytes /);
    expect(messages.get(ground.names.redis)).toMatch(
      /^capture data\.rdb: the 65496 bytes that arrived are not the ones that the source hashed/,
    );
    expect(result.platformPoint).toBeUndefined();
  });

  it('is not green, with a wrong password, though the pod is not ready any more', async () => {
    const before = await ground.state();
    await ground.redis(['CONFIG', 'SET', 'requirepass', 'another']);
    try {
      await ground.kubectl([
        'wait',
        'pod/redis-0',
        '-n',
        ground.namespace,
        '--for=condition=Ready=false',
        '--timeout=90s',
      ]);
      await expectFailedRun(ground, ['backup', ground.names.redis], {
        outcome: 'failed',
        code: 'CredentialMismatch',
        message: /WRONGPASS|NOAUTH|AUTH failed/,
        compensation: 'done',
      });
    } finally {
      await ground.kubectl([
        'exec',
        '-n',
        ground.namespace,
        'redis-0',
        '-c',
        'redis',
        '--',
        'sh',
        '-c',
        'REDISCLI_AUTH=another redis-cli --no-auth-warning CONFIG SET requirepass "$REDIS_PASSWORD"',
      ]);
    }
    await ground.kubectl(['wait', 'pod/redis-0', '-n', ground.namespace, '--for=condition=Ready', '--timeout=90s']);
    await expectAsItWas(ground, before);
  });

  it('of one release makes the backup of the platform partial; the other release has its point', async () => {
    await ground.inject('dump tool missing');
    const before = await ground.state();

    const { result } = await expectFailedRun(ground, ['backup'], {
      outcome: 'partial',
      code: 'CaptureToolMissing',
      message: /not found/,
      compensation: 'done',
    });

    const by = new Map(result.releases.map((release) => [release.release, release]));
    expect(by.get(ground.names.postgresql)).toMatchObject({ outcome: 'failed', recoveryPoint: null });
    expect(by.get(ground.names.redis)).toMatchObject({ outcome: 'complete' });
    const point = by.get(ground.names.redis)?.recoveryPoint ?? '';
    const after = await ground.state();
    expect({ ...after, store: [] }).toEqual({ ...before, store: [] });
    const added = after.store.filter((key) => !before.store.includes(key));
    expect(added.filter((key) => key.startsWith(`manifests/sandbox/${ground.names.redis}/`))).toHaveLength(1);
    expect(
      added
        .filter((key) => key.startsWith('points/'))
        .every((key) => key.startsWith(`points/sandbox/${ground.names.redis}/${point}/`)),
    ).toBe(true);
    const platformPoint = added.filter((key) => key.startsWith('platforms/') && key.endsWith('.json'));
    expect(platformPoint).toHaveLength(1);
    expect((await ground.store.get(platformPoint[0] ?? '')).toString('utf8')).toContain('"complete":false');
  });

  it('is refused before anything is captured, with a recipient that is none', async () => {
    const configPath = join(ground.setting.directory, 'bad-recipient.yaml');
    const [operations = ''] = ground.setting.kit.recipients;
    const text = await readFile(ground.setting.configPath, 'utf8');
    await writeFile(
      configPath,
      text.replace(operations, `${operations.slice(0, -1)}${operations.endsWith('q') ? 'p' : 'q'}`),
    );
    const env = { LIFEBOAT_CONFIG: configPath };
    await ground.useWorker(env);
    try {
      await expectFailure(ground, ['backup', ground.names.redis], {
        outcome: 'refused',
        code: 'RecipientInvalid',
        message: /is not an age recipient/,
        compensation: 'none',
        env,
      });
    } finally {
      await ground.useWorker();
    }
  });
});
