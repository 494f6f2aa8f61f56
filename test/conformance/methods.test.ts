// long because one suite is run for every method: its cases stand beside each other
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PodAddress } from '../../activities/clients/kubectl.ts';
import { componentRules } from '../../activities/facts/component-rules.ts';
import type { Method, RestoreContext } from '../../activities/methods/method.ts';
import type { BoundPlan, BoundWorkload } from '../../model/bound-plan.ts';
import { compareFacts, type Facts, type FactsComparison } from '../../model/facts.ts';
import type { SandboxRelease } from '../../sandbox/platform/release.ts';
import { startWriter } from '../../sandbox/platform/writer.ts';
import { captureInMemory, type MemoryPoint, restoreContextOf } from './memory-point.ts';
import { findSandbox, type MethodGround, type Over, openMethodGround } from './method-ground.ts';

/** What a method is tried on, and how its target is damaged. */
type Case = {
  readonly chart: string;
  readonly component: string;
  /** Charts that are installed with it. */
  readonly with?: readonly string[];
  /** The stream whose damage must be seen before the target is touched. */
  readonly stream: string;
  /** Changes, deletes and adds. */
  damage(workload: BoundWorkload, ground: MethodGround): Promise<unknown>;
  /** A small change that a second call must not take back. */
  touch?(workload: BoundWorkload, ground: MethodGround): Promise<unknown>;
  readonly wrongPassword?: Over;
  readonly missingTool?: Over | 'another image';
  readonly writer?: boolean;
  /** It is compared, and nothing is restored. */
  readonly isEvidence?: true;
  readonly leavesNothing?: (workload: BoundWorkload, ground: MethodGround) => Promise<string>;
};

const mysql = 'MYSQL_PWD=$MYSQL_ROOT_PASSWORD exec mariadb --protocol=socket -uroot -N -B';
const redis = 'REDISCLI_AUTH=$REDIS_PASSWORD exec redis-cli --no-auth-warning';
const sh = async (ground: MethodGround, workload: BoundWorkload, script: string, input?: string): Promise<string> =>
  await ground.run(workload, ['sh', '-ceu', script], input);

const cases: readonly Case[] = [
  {
    chart: 'postgresql',
    component: 'databases',
    stream: 'database-shop',
    damage: async (workload, ground) =>
      await sh(
        ground,
        workload,
        `p() { psql -XAtq -v ON_ERROR_STOP=1 -U "$POSTGRES_USER" "$@"; }
p -d shop -c 'TRUNCATE sales.audit; DELETE FROM sales.events; DROP TABLE sales.invoices; CREATE TABLE intruder (n int)'
p -d analytics -c 'CREATE TABLE intruder (n int)'
p -d template1 -c 'ALTER ROLE analyst CONNECTION LIMIT 1' -c 'DROP ROLE IF EXISTS intruder' -c 'CREATE ROLE intruder'`,
      ),
    touch: async (workload, ground) =>
      await sh(ground, workload, `psql -XAtq -U "$POSTGRES_USER" -d shop -c "INSERT INTO sales.audit VALUES (now())"`),
    wrongPassword: { options: { user: 'user' }, parameters: { user: 'nobody' } },
    missingTool: 'another image',
    writer: true,
    leavesNothing: async (workload, ground) =>
      await sh(
        ground,
        workload,
        `psql -XAtq -U "$POSTGRES_USER" -d template1 -c "SELECT datname FROM pg_database WHERE datname LIKE 'lifeboat%'"`,
      ),
  },
  {
    chart: 'mysql',
    component: 'databases',
    stream: 'data',
    damage: async (workload, ground) =>
      await sh(
        ground,
        workload,
        mysql,
        `USE shop; DELETE FROM orders WHERE id % 3 = 0; UPDATE customers SET name = 'x' WHERE id = 7; DROP TRIGGER audit_total; DROP PROCEDURE raise_total; DROP VIEW best; DROP EVENT forget_audit;
CREATE TABLE intruder (n int); DROP DATABASE \`archive-2025\`; ALTER USER analyst@'%' IDENTIFIED BY 'other'; GRANT INSERT ON shop.* TO analyst@'%'; REVOKE reporting FROM analyst@'%'; DROP USER 'odd ''name'''@'10.%';`,
      ),
    touch: async (workload, ground) =>
      await sh(ground, workload, `${mysql} -e "INSERT INTO shop.audit VALUES (now(), 1, 1, 1)"`),
    wrongPassword: { options: { user: 'root', passwordEnv: 'HOSTNAME' } },
    missingTool: 'another image',
    writer: true,
    leavesNothing: async (workload, ground) =>
      await sh(
        ground,
        workload,
        `${mysql} -e "SELECT schema_name FROM information_schema.schemata WHERE schema_name LIKE 'lifeboat\\_%'"`,
      ),
  },
  {
    chart: 'redis',
    component: 'data',
    stream: 'rdb',
    damage: async (workload, ground) =>
      await sh(
        ground,
        workload,
        `c() { (${redis} "$@"); }; c DEL orders big:hash counter; c SET intruder 1; c -n 1 FLUSHDB; c FUNCTION FLUSH; c PERSIST session:1`,
      ),
    touch: async (workload, ground) => await sh(ground, workload, `${redis} SET touched 1`),
    wrongPassword: { options: { passwordEnv: 'HOSTNAME' } },
    missingTool: 'another image',
    writer: true,
    leavesNothing: async (workload, ground) =>
      await sh(
        ground,
        workload,
        `ls -A /data | grep -e lifeboat-restore || :; ps -e 2>/dev/null | grep -c '[r]edis-server' | grep -v '^[01]$' || :`,
      ),
  },
  {
    chart: 'wordpress',
    component: 'database',
    with: ['mysql'],
    stream: 'data',
    damage: async (_, ground) => {
      const host = await hostWorkload(ground);
      await sh(
        ground,
        host,
        mysql,
        "USE wordpress; DELETE FROM wp_posts WHERE ID % 2 = 0; UPDATE wp_options SET option_value = 'x' WHERE option_name = 'blogname'; DROP TABLE wp_links; CREATE TABLE intruder (n int);",
      );
    },
    touch: async (_, ground) =>
      await sh(
        ground,
        await hostWorkload(ground),
        `${mysql} -e "INSERT INTO wordpress.wp_options (option_name, option_value) VALUES ('touched', '1')"`,
      ),
    wrongPassword: { options: { user: 'root', passwordEnv: 'HOSTNAME', database: 'dbName' } },
  },
  {
    chart: 'wordpress',
    component: 'files',
    with: ['mysql'],
    stream: 'tar',
    damage: async (workload, ground) => {
      await sh(
        ground,
        workload,
        'cd /var/www/html; rm -rf wp-includes wp-content/uploads/2026/01; echo x >intruder; chmod 600 wp-config.php; echo "// x" >>wp-login.php',
      );
      await ground.scale(workload, 0);
    },
  },
  {
    chart: 'rabbitmq',
    component: 'messages',
    stream: 'tar',
    damage: async (workload, ground) => {
      await ground.scale(workload, 1);
      await ground.run(workload, ['rabbitmqctl', '-q', 'purge_queue', '-p', 'shop', 'orders']);
      await ground.scale(workload, 0);
    },
  },
  {
    chart: 'rabbitmq',
    component: 'definitions',
    stream: 'output',
    damage: async (workload, ground) =>
      await sh(
        ground,
        workload,
        `rabbitmqctl -q delete_user audit; rabbitmqctl -q clear_policy -p shop dead-letters; rabbitmqctl -q delete_queue -p shop dead-letters; rabbitmqctl -q clear_permissions -p shop orders`,
      ),
    missingTool: { options: { command: ['no-such-tool'], facts: { format: 'none' } } },
  },
  { chart: 'rabbitmq', component: 'queues', stream: 'output', isEvidence: true, damage: () => Promise.resolve() },
  {
    chart: 'memcached',
    component: 'settings',
    stream: 'output',
    isEvidence: true,
    damage: () => Promise.resolve(),
    missingTool: { options: { command: ['no-such-tool'], facts: { format: 'none' } } },
  },
];

async function hostWorkload(ground: MethodGround): Promise<BoundWorkload> {
  const bound = await ground.bind({ chart: 'mysql', namespace: 'conformance-wordpress', name: 'mysql' });
  return bound.workloads['mysql'] as BoundWorkload;
}

/** Markers of an earlier run of this test are none of this one's. */
const thisRun = String(Date.now());
const sandbox = await findSandbox();
if (sandbox === undefined)
  process.stderr.write(
    'SKIPPED: the conformance of methods needs the sandbox (npm run sandbox -- up), which does not run\n',
  );

const only = process.env['LIFEBOAT_CONFORMANCE'];
const chosen = cases.filter(
  ({ chart, component }) =>
    only === undefined || only.split(',').some((name) => name === chart || name === `${chart}/${component}`),
);

describe.skipIf(sandbox === undefined).each([...Map.groupBy(chosen, ({ chart }) => chart)])(
  'methods on a real %s',
  (chart, ofChart) => {
    const namespace = `conformance-${chart}`;
    const release: SandboxRelease = { chart, namespace, name: chart };
    const others = [...new Set(ofChart.flatMap((each) => each.with ?? []))].map((other) => ({
      chart: other,
      namespace,
      name: other,
    }));
    const bystander: SandboxRelease = { chart: 'memcached', namespace: 'conformance-bystander', name: 'memcached' };
    let ground: MethodGround;
    let bound: BoundPlan;

    beforeAll(async () => {
      if (sandbox === undefined) return;
      ground = await openMethodGround(sandbox, [...others, release, bystander]);
      bound = await ground.bind(release);
    });

    afterAll(async () => {
      if (process.env['LIFEBOAT_CONFORMANCE_KEEP'] === undefined) await ground.close();
    });

    describe.each(ofChart)('$component', (of) => {
      const { component } = of;
      let point: MemoryPoint;
      const method = (): Method<unknown> => ground.method(bound, component);
      const workload = (): BoundWorkload => ground.context(bound, component, 'x').workload as BoundWorkload;
      const restoreContext = (generation: string, damaged?: string, over?: Over): RestoreContext<unknown> =>
        restoreContextOf(
          ground.context(bound, component, `${thisRun}-${generation}`, over),
          point,
          damaged === undefined ? {} : { damaged },
        );
      const readFacts = async (): Promise<Facts> => await method().readFacts(restoreContext('reading'));
      const compare = (after: Facts): FactsComparison => {
        const gone = new Set(method().expired?.(point.captured.facts, new Date()).paths ?? []);
        const without = (facts: Facts): Facts =>
          Object.fromEntries(Object.entries(facts).filter(([path]) => !gone.has(path)));
        return compareFacts(
          without(point.captured.facts),
          without(after),
          componentRules(bound.plan.compare, component),
        );
      };
      const plan = (): BoundPlan['plan']['components'][number] => ground.context(bound, component, 'x').component;

      it('captures what the facts say, proven to its end', async () => {
        if (plan().captureWhile === 'stopped') await ground.scale(workload(), 0);
        point = await captureInMemory(method(), ground.context(bound, component, 'capture'));
        if (plan().captureWhile === 'running' && plan().restoreWhile === 'stopped') await ground.scale(workload(), 0);
        expect(Object.keys(point.captured.facts).length).toBeGreaterThan(0);
        expect(Math.abs(Date.now() - Date.parse(point.captured.capturedAt))).toBeLessThan(600_000);
        expect(compare(await readFacts())).toMatchObject({ equal: true, differences: [] });
        if (plan().captureWhile === 'running' && plan().restoreWhile === 'stopped') await ground.scale(workload(), 1);
      });

      it('keeps secrets out of what it names', () => {
        expect([...point.restoreCommands.values()].join('\n')).not.toMatch(/password=|of-the-sandbox/i);
      });

      it('refuses a damaged artifact before it touches the target', async () => {
        await of.damage(workload(), ground);
        if (of.isEvidence) return;
        const before = await readFacts();
        expect(compare(before).equal).toBe(false);
        await expect(method().restore(restoreContext('damaged', of.stream))).rejects.toMatchObject({
          code: 'ArtifactDigestMismatch',
        });
        expect(await readFacts()).toEqual(before);
      });

      it('restores exactly what was captured, and a second call changes nothing', async () => {
        await method().restore(restoreContext('first'));
        expect(compare(await readFacts())).toMatchObject({ equal: true, differences: [] });
        if (of.touch !== undefined) {
          await of.touch(workload(), ground);
          await method().restore(restoreContext('first'));
          expect(compare(await readFacts()).equal).toBe(false);
          await method().restore(restoreContext('second'));
          expect(compare(await readFacts())).toMatchObject({ equal: true, differences: [] });
        } else await method().restore(restoreContext('first'));
        if (plan().restoreWhile === 'stopped') await ground.scale(workload(), 1);
        if (of.leavesNothing !== undefined) expect(await of.leavesNothing(workload(), ground)).toBe('');
      });

      it.runIf(of.isEvidence !== true)('goes on where a restore was cut off, and leaves nothing behind', async () => {
        await of.damage(workload(), ground);
        for (const afterMs of [300, 1_200, 3_000, 6_000]) {
          const cut = new AbortController();
          const timer = setTimeout(() => {
            cut.abort(new Error('cut off'));
          }, afterMs);
          const over: Over = { signal: cut.signal };
          await method()
            .restore(restoreContext('cut', undefined, over))
            .catch(() => undefined);
          clearTimeout(timer);
        }
        await method().restore(restoreContext('cut'));
        expect(compare(await readFacts())).toMatchObject({ equal: true, differences: [] });
        if (plan().restoreWhile === 'stopped') await ground.scale(workload(), 1);
        if (of.leavesNothing !== undefined) expect(await of.leavesNothing(workload(), ground)).toBe('');
        const helpers = JSON.parse(
          await ground.kubectl(['get', 'pods', '-n', namespace, '-l', 'lifeboat.dev/run', '-o', 'json']),
        ) as { items: object[] };
        expect(helpers.items).toEqual([]);
      });

      it.runIf(of.chart === 'postgresql')('puts back what it replaced', async () => {
        await of.damage(workload(), ground);
        const ofDatabases = (facts: Facts): Facts =>
          Object.fromEntries(Object.entries(facts).filter(([path]) => path.startsWith('db/')));
        const before = ofDatabases(await readFacts());
        await method().restore(restoreContext('undone'));
        expect(ofDatabases(await readFacts())).not.toEqual(before);
        await method().undoRestore?.(restoreContext('undone'));
        expect(ofDatabases(await readFacts())).toEqual(before);
        await method().undoRestore?.(restoreContext('undone'));
        expect(ofDatabases(await readFacts())).toEqual(before);
        await method().restore(restoreContext('after-undone'));
      });

      it.runIf(of.writer)('captures one instant under a continuous writer', async () => {
        if (sandbox === undefined) return;
        const writer = await startWriter(sandbox, release);
        try {
          while (writer.acknowledgedCount < 20) await new Promise((resolve) => setTimeout(resolve, 200));
          point = await captureInMemory(method(), ground.context(bound, component, 'under-writer'));
        } finally {
          await writer.stop();
        }
        await method().restore(restoreContext('after-writer'));
        const rules = [{ facts: 'db/*/sequence/*/last', as: 'atLeast' as const }];
        expect(compareFacts(point.captured.facts, await readFacts(), rules)).toMatchObject({
          equal: true,
          differences: [],
        });
      });

      it.runIf(of.wrongPassword !== undefined)(
        'says CredentialMismatch where the password is another one',
        async () => {
          await expect(
            captureInMemory(method(), ground.context(bound, component, 'x', of.wrongPassword)),
          ).rejects.toMatchObject({ code: 'CredentialMismatch' });
        },
      );

      it.runIf(of.missingTool !== undefined)('says CaptureToolMissing where the image lacks the tool', async () => {
        const other = (await ground.bind(bystander)).workloads['memcached'] as BoundWorkload;
        const pods = JSON.parse(await ground.kubectl(['get', 'pods', '-n', other.namespace, '-o', 'json'])) as {
          items: { metadata: { name: string } }[];
        };
        const pod: PodAddress = {
          namespace: other.namespace,
          pod: pods.items[0]?.metadata.name ?? '',
          container: other.container,
        };
        const over: Over = of.missingTool === 'another image' ? { pod } : (of.missingTool ?? {});
        await expect(captureInMemory(method(), ground.context(bound, component, 'x', over))).rejects.toMatchObject({
          code: 'CaptureToolMissing',
        });
      });
    });
  },
);
