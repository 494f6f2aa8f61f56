import type { BoundWorkload } from '../../model/bound-plan.ts';
import { conform, sh } from './conform.ts';
import type { MethodGround } from './method-ground.ts';

const forgetDefinitions = async (workload: BoundWorkload, ground: MethodGround): Promise<string> =>
  await sh(
    ground,
    workload,
    `rabbitmqctl -q delete_user audit; rabbitmqctl -q clear_policy -p shop dead-letters; rabbitmqctl -q delete_queue -p shop dead-letters; rabbitmqctl -q clear_permissions -p shop orders`,
  );

conform('rabbitmq', [
  {
    component: 'messages',
    stream: 'tar',
    damage: async (workload, ground) => {
      await ground.scale(workload, 1);
      await ground.run(workload, ['rabbitmqctl', '-q', 'purge_queue', '-p', 'shop', 'orders']);
      await ground.scale(workload, 0);
    },
  },
  {
    component: 'definitions',
    stream: 'output',
    damage: forgetDefinitions,
    byHand: forgetDefinitions,
    missingTool: { options: { command: ['no-such-tool'], facts: { format: 'none' } } },
  },
  { component: 'queues', stream: 'output', isEvidence: true, damage: () => Promise.resolve() },
]);
