import { conform, sh } from './conform.ts';

const redis = 'REDISCLI_AUTH=$REDIS_PASSWORD exec redis-cli --no-auth-warning';

conform('redis', [
  {
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
]);
