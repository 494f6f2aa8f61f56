import { conform, sh } from './conform.ts';

const path = '/prometheus';

conform('prometheus', [
  {
    component: 'samples',
    stream: 'tar',
    // the server scrapes itself every second: each capture is one under a writer
    isReadRestored: true,
    damage: async (workload, ground) => {
      await ground.scale(workload, 1);
      await sh(
        ground,
        workload,
        'cd /prometheus; for block in ??????????????????????????; do rm -rf "$block"; break; done; echo no >stray',
      );
      await ground.scale(workload, 0);
    },
    // between the request for a snapshot and the first byte of it
    killedCapture: async (workload, ground) =>
      await sh(
        ground,
        workload,
        `cd /prometheus; { date -u +%Y%m%dT%H%M%SZ; echo 20991231T000000Z; } >.lifeboat-snapshot
        wget -q -O - --post-data '' http://127.0.0.1:9090/api/v1/admin/tsdb/snapshot`,
      ),
    leavesNothing: async (workload, ground) =>
      await sh(ground, workload, 'cd /prometheus; ls -A | grep -e snapshot -e restore -e stray || :'),
    refusals: [
      {
        where: 'the admin API is off',
        code: 'ApiDisabled',
        over: { options: { path, port: 9091 } },
        prepare: async (workload, ground) =>
          await sh(
            ground,
            workload,
            `mkdir -p /tmp/other; prometheus --config.file=/etc/prometheus/prometheus.yml --storage.tsdb.path=/tmp/other --web.listen-address=:9091 >/tmp/other.log 2>&1 &
            until wget -q -O - http://127.0.0.1:9091/-/ready; do sleep 0.5; done`,
          ),
      },
      { where: 'nothing answers', code: 'ApiFailed', over: { options: { path, port: 9099 } } },
      { where: 'no claim is mounted', code: 'BindingFailed', over: { options: { path: '/data' } } },
      {
        where: 'the server keeps its data elsewhere',
        code: 'BindingFailed',
        over: { options: { path: `${path}/data` } },
      },
    ],
  },
  {
    component: 'rules',
    stream: 'output',
    isEvidence: true,
    damage: () => Promise.resolve(),
    missingTool: { options: { command: ['no-such-tool'], facts: { format: 'none' } } },
  },
]);
