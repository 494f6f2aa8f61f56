import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeConfig } from '../config-file.ts';
import { addresses, type Layout } from '../layout.ts';
import { run, tryRun } from '../run.ts';
import { policyTable } from './policy-rules.ts';

/** Settings of the kernel that pods need, with the values they had before, so that taking down puts them back. */
const settings: Readonly<Record<string, string>> = {
  '/proc/sys/net/ipv4/ip_forward': '1',
  '/proc/sys/net/bridge/bridge-nf-call-iptables': '1',
  '/proc/sys/net/ipv4/conf/all/route_localnet': '1',
};

/** Our own rules, in one table so that one command removes them: what pods send outside carries the host's address. */
const rules = `
table ip lifeboat
delete table ip lifeboat
table ip lifeboat {
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr ${addresses.podRange} ip daddr != { ${addresses.podRange}, 224.0.0.0/4 } masquerade
  }
}
`;

/** The bridge of the pods with the host's address on it, forwarding, and the CNI configuration. Idempotent. */
export async function layNetwork(at: Layout): Promise<void> {
  const { bridge, gateway, podRange } = addresses;
  await tryRun('modprobe', ['br_netfilter']);
  await keepSettings(at);
  if ((await tryRun('ip', ['link', 'show', bridge])) === undefined) {
    await refuseForeignRange();
    await run('ip', ['link', 'add', bridge, 'type', 'bridge']);
  }
  await run('ip', ['addr', 'replace', `${gateway}/${podRange.split('/')[1] ?? '24'}`, 'dev', bridge]);
  await run('ip', ['link', 'set', bridge, 'up']);
  await run('nft', ['-f', '-'], { input: rules });
  await writeConfig(join(at.cni, 'conf', '10-lifeboat.conflist'), JSON.stringify(cniConfig(at), null, 2));
}

/** Removes the bridge, our rules and kube-proxy's, and puts the kernel's settings back. Idempotent. */
export async function removeNetwork(at: Layout): Promise<void> {
  await tryRun('ip', ['link', 'delete', addresses.bridge]);
  for (const [family, table] of [
    ['ip', 'lifeboat'],
    ['ip', policyTable],
    ['ip', 'kube-proxy'],
    ['ip6', 'kube-proxy'],
  ] as const) {
    await tryRun('nft', ['delete', 'table', family, table]);
  }
  const before = JSON.parse((await readFile(settingsPath(at), 'utf8').catch(() => '{}')) || '{}') as Record<
    string,
    string
  >;
  for (const [path, value] of Object.entries(before)) await writeFile(path, value).catch(() => undefined);
}

function settingsPath(at: Layout): string {
  return join(at.directory, 'kernel-settings.json');
}

async function keepSettings(at: Layout): Promise<void> {
  const known = await readFile(settingsPath(at), 'utf8').catch(() => undefined);
  if (known === undefined) {
    const before: Record<string, string> = {};
    for (const path of Object.keys(settings)) {
      const value = await readFile(path, 'utf8').catch(() => undefined);
      if (value !== undefined) before[path] = value.trim();
    }
    await writeFile(settingsPath(at), JSON.stringify(before));
  }
  for (const [path, value] of Object.entries(settings)) await writeFile(path, value).catch(() => undefined);
}

async function refuseForeignRange(): Promise<void> {
  const routes = await run('ip', ['-4', 'route', 'show', addresses.podRange]);
  const holder = /dev (\S+)/.exec(routes)?.[1];
  if (holder !== undefined)
    throw new Error(
      `start sandbox: ${addresses.podRange} is in use by the interface ${holder}; another cluster runs here`,
    );
}

function cniConfig(at: Layout): object {
  return {
    cniVersion: '1.0.0',
    name: 'lifeboat',
    plugins: [
      {
        type: 'bridge',
        bridge: addresses.bridge,
        isGateway: true,
        ipMasq: false,
        hairpinMode: true,
        ipam: {
          type: 'host-local',
          dataDir: join(at.cni, 'addresses'),
          ranges: [[{ subnet: addresses.podRange, gateway: addresses.gateway }]],
          routes: [{ dst: '0.0.0.0/0' }],
        },
      },
    ],
  };
}
