import { conform, sh } from './conform.ts';

const amtool = 'amtool --alertmanager.url=http://127.0.0.1:9093';

conform('alertmanager', [
  {
    component: 'state',
    stream: 'tar',
    // a server that ends writes its files anew
    isReadRestored: true,
    damage: async (workload, ground) => {
      await ground.scale(workload, 1);
      await sh(
        ground,
        workload,
        `${amtool} silence expire $(${amtool} silence query -q); echo no >/alertmanager/stray`,
      );
      await ground.scale(workload, 0);
    },
    leavesNothing: async (workload, ground) =>
      await sh(ground, workload, 'ls -A /alertmanager | grep -e restore -e stray || :'),
  },
  {
    component: 'silences',
    stream: 'json',
    damage: async (workload, ground) =>
      await sh(
        ground,
        workload,
        `${amtool} silence expire $(${amtool} silence query -q | head -n 3); ${amtool} silence add -a x -c stray alertname=Stray; ${amtool} silence add -a seed -c twice -d 1h alertname=Twice`,
      ),
    byHand: async (workload, ground) =>
      await sh(ground, workload, `${amtool} silence expire $(${amtool} silence query -q)`),
    refusals: [
      { where: 'nothing answers', code: 'ApiFailed', over: { options: { port: 9099 } } },
      { where: 'something else answers', code: 'ApiFailed', over: { options: { prefix: '/api/v2/status' } } },
    ],
  },
]);
