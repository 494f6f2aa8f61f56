import { readdir, readFile, readlink } from 'node:fs/promises';

/** A TCP port of an address. */
export type Port = { readonly host: string; readonly port: number };

/** Refuses to start when a port is taken, at its address or at all addresses, and says by whom. */
export async function refuseTakenPorts(ports: readonly Port[]): Promise<void> {
  const listening = await listeningSockets();
  for (const { host, port } of ports) {
    const taken = listening.find(
      (socket) => socket.port === port && (socket.host === host || socket.host === undefined),
    );
    if (taken !== undefined)
      throw new Error(
        `start sandbox: port ${String(port)} is held by ${await holderOf(taken.inode)}; stop it and try again`,
      );
  }
}

/** Listening TCP sockets of this machine; one without a host listens on all addresses. */
async function listeningSockets(): Promise<{ host: string | undefined; port: number; inode: string }[]> {
  const found = [];
  for (const file of ['/proc/net/tcp', '/proc/net/tcp6']) {
    const text = await readFile(file, 'utf8').catch(() => '');
    for (const line of text.split('\n').slice(1)) {
      const [, local = '', , state, , , , , , inode] = line.trim().split(/\s+/);
      const [address = '', port = '0'] = local.split(':');
      if (state === '0A' && inode !== undefined)
        found.push({ host: hostOf(address), port: Number.parseInt(port, 16), inode });
    }
  }
  return found;
}

/** The kernel prints an IPv4 address as one number in the byte order of the machine. */
function hostOf(address: string): string | undefined {
  if (/^0+$/.test(address)) return undefined;
  const bytes = Buffer.from(address.slice(-8), 'hex').reverse();
  return [...bytes].join('.');
}

async function holderOf(inode: string): Promise<string> {
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    for (const descriptor of await readdir(`/proc/${pid}/fd`).catch(() => [])) {
      if ((await readlink(`/proc/${pid}/fd/${descriptor}`).catch(() => '')) !== `socket:[${inode}]`) continue;
      const command = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).replaceAll('\0', ' ').trim();
      return `process ${pid} (${command.slice(0, 100)})`;
    }
  }
  return 'a process of another container';
}
