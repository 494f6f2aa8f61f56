import { randomBytes } from 'node:crypto';
import type { SandboxSecret } from '../../sandbox-recipe.ts';

/** The Secret that `sandbox/values.yaml` names. What is notified answers well and does nothing: a page of the server itself. */
export function secret(): SandboxSecret {
  const configuration = {
    route: { receiver: 'shop', group_by: ['alertname'], group_wait: '1s', group_interval: '1m', repeat_interval: '4h' },
    receivers: [
      {
        name: 'shop',
        webhook_configs: [
          {
            url: 'http://127.0.0.1:9093/debug/pprof/cmdline',
            http_config: { basic_auth: { username: 'shop', password: randomBytes(18).toString('base64url') } },
          },
        ],
      },
    ],
  };
  return { name: 'alertmanager-config', data: { 'alertmanager.yml': JSON.stringify(configuration, null, 2) } };
}
