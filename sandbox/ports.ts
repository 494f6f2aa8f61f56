import { readdir, readFile, readlink } from 'node:fs/promises';

/** Refuses to start when a port of 127.0.0.1 is taken, and says by whom. */
export async function refuseTakenPorts(ports: readonly number[]): Promise<void> {
  const listening = await listeningSockets();
  for (const port of ports) {
    const inode = listening.get(port);
    if (inode !== undefined) throw new Error(`start sandbox: port ${String(port)} is held by ${await holderOf(inode)}; stop it and try again`);
  }
}

/** Listening TCP ports of this machine and the inode of each socket. */
async function listeningSockets(): Promise<Map<number, string>> {
  const found = new Map<number, string>();
  for (const file of ['/proc/net/tcp', '/proc/net/tcp6']) {
    const text = await readFile(file, 'utf8').catch(() => '');
    for (const line of text.split('\n').slice(1)) {
      const [, local = '', , state, , , , , , inode] = line.trim().split(/\s+/);
      if (state === '0A' && inode !== undefined) found.set(Number.parseInt(local.split(':')[1] ?? '0', 16), inode);
    }
  }
  return found;
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
