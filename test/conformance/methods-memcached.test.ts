import { conform } from './conform.ts';

conform('memcached', [
  {
    component: 'settings',
    stream: 'output',
    isEvidence: true,
    damage: () => Promise.resolve(),
    missingTool: { options: { command: ['no-such-tool'], facts: { format: 'none' } } },
  },
]);
