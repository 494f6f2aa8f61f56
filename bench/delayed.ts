import { connect, createServer, type Socket } from 'node:net';

/** A way to a server on which everything that is said to it takes a while longer; it carries as much as before. */
export type DelayedWay = { readonly endpoint: string; stop(): Promise<void> };

/** Opens a way to `http://host:port` that delays what goes there by `delayMs`. */
export async function openDelayedWay(target: string, delayMs: number): Promise<DelayedWay> {
  const { hostname, port } = new URL(target);
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect({ host: hostname, port: Number(port) });
    for (const socket of [client, upstream]) {
      sockets.add(socket.setNoDelay(true));
      socket.on('error', () => undefined);
      socket.once('close', () => {
        sockets.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
    client.on('data', (chunk) => {
      setTimeout(() => {
        if (!upstream.destroyed && !upstream.write(chunk) && !client.isPaused()) {
          client.pause();
          upstream.once('drain', () => client.resume());
        }
      }, delayMs);
    });
    upstream.pipe(client);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the way has no port');
  return {
    endpoint: `http://127.0.0.1:${String(address.port)}`,
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
