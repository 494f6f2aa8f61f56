import { readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { request } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { Transform } from 'node:stream';
import { connect } from 'node:tls';
import { parse, stringify } from 'yaml';

/** What the API server answers to a request to upgrade the connection: this status, or it closes the connection. */
export type Refusal = number | 'closed';

/** Ends an upgraded connection, both ways, once so many bytes passed on their way `down` from the API server, or `up` to it. */
export type Cut = {
  readonly way: 'down' | 'up';
  readonly afterBytes: number;
  /** As a server that ends a connection cleanly, or as one that is gone. */
  readonly how: 'end' | 'reset';
};

/** A proxy before the API server; who uses its kubeconfig goes through it. */
export type ApiProxy = {
  readonly kubeconfig: string;
  /** Bytes so far of the last upgraded connection that a cut was asked for. */
  readonly passed: { readonly down: number; readonly up: number };
  /** As an API server that is gone: every connection is closed, and each new one at once, until it is back. */
  goAway(): void;
  comeBack(): void;
  stop(): Promise<void>;
};

type Kubeconfig = {
  readonly clusters: readonly { readonly name: string; readonly cluster: Readonly<Record<string, string>> }[];
  readonly users: readonly { readonly name: string; readonly user: Readonly<Record<string, string>> }[];
};

/**
 * Starts a proxy. It speaks plain HTTP and shows the API server the certificate of the kubeconfig.
 * @param kubeconfig - of the API server: one cluster and one user, with data and not with files
 * @param directory - where the kubeconfig of the proxy is written
 * @param fault - what becomes of an upgrade, `GET /api/v1/…/exec?command=…`, called once for each; undefined lets it pass
 */
export async function startApiProxy(
  kubeconfig: string,
  directory: string,
  fault: (line: string) => Refusal | Cut | undefined,
): Promise<ApiProxy> {
  const config = parse(await readFile(kubeconfig, 'utf8')) as Kubeconfig;
  const { server = '', 'certificate-authority-data': ca = '' } = config.clusters[0]?.cluster ?? {};
  const { 'client-certificate-data': cert = '', 'client-key-data': key = '' } = config.users[0]?.user ?? {};
  const { hostname, port } = new URL(server);
  const decoded = (data: string): Buffer => Buffer.from(data, 'base64');
  const target = { host: hostname, port: Number(port), ca: decoded(ca), cert: decoded(cert), key: decoded(key) };
  const sockets = new Set<Socket>();
  let passed = { down: 0, up: 0 };
  let isAway = false;

  const proxy = createServer((incoming, outgoing) => {
    const forwarded = request(
      { ...target, method: incoming.method, path: incoming.url, headers: incoming.headers },
      (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(outgoing);
      },
    );
    forwarded.on('error', () => outgoing.destroy());
    outgoing.once('close', () => forwarded.destroy());
    incoming.pipe(forwarded);
  });
  proxy.on('connection', (socket: Socket) => {
    if (isAway) {
      socket.destroy();
      return;
    }
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  proxy.on('upgrade', (incoming, socket, head) => {
    const line = `${incoming.method ?? ''} ${incoming.url ?? ''}`;
    socket.on('error', () => undefined);
    const refusal = fault(line);
    if (refusal === 'closed') {
      socket.destroy();
      return;
    }
    if (typeof refusal === 'number') {
      socket.end(answerOf(refusal));
      return;
    }
    const upgraded = connect(target, () => {
      const headers = incoming.rawHeaders.map((text, index) => (index % 2 === 0 ? `${text}: ` : `${text}\r\n`));
      upgraded.write(`${line} HTTP/1.1\r\n${headers.join('')}\r\n`);
      upgraded.write(head);
      const count = { down: 0, up: 0 };
      if (refusal !== undefined) passed = count;
      const cut = (): void => {
        for (const each of [socket, upgraded])
          if (refusal?.how === 'end') each.end();
          else each.destroy();
      };
      /** Passes bytes on up to the cut. */
      const through = (way: 'down' | 'up'): Transform =>
        new Transform({
          transform: (chunk: Buffer, _, done) => {
            const left = refusal?.way === way ? refusal.afterBytes - count[way] : Infinity;
            count[way] += chunk.byteLength;
            if (chunk.byteLength <= left) done(null, chunk);
            else {
              // the next bytes are never asked for
              if (left > 0) (way === 'down' ? socket : upgraded).write(chunk.subarray(0, left), cut);
              else cut();
            }
          },
        });
      upgraded.pipe(through('down')).pipe(socket);
      socket.pipe(through('up')).pipe(upgraded);
    });
    upgraded.on('error', () => socket.destroy());
    socket.once('close', () => upgraded.destroy());
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  const address = `http://127.0.0.1:${String((proxy.address() as AddressInfo).port)}`;
  const own = `${directory}/kubeconfig-of-the-proxy`;
  const clusters = config.clusters.map(({ name }) => ({
    name,
    cluster: { server: address, 'insecure-skip-tls-verify': true },
  }));
  const users = config.users.map(({ name }) => ({ name, user: {} }));
  await writeFile(own, stringify({ ...config, clusters, users }), { mode: 0o600 });
  return {
    kubeconfig: own,
    get passed() {
      return passed;
    },
    goAway: () => {
      isAway = true;
      for (const socket of sockets) socket.destroy();
    },
    comeBack: () => {
      isAway = false;
    },
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => proxy.close(resolve));
    },
  };
}

/** As the API server answers: a Status. */
function answerOf(status: number): string {
  const [reason, text] =
    status === 429 ? ['TooManyRequests', 'Too Many Requests'] : ['InternalError', 'Internal Server Error'];
  const body = JSON.stringify({
    ...{ kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure' },
    ...{ message: `${text}, please try again later.`, reason, code: status },
  });
  const headers = [
    `HTTP/1.1 ${String(status)} ${text}`,
    'Content-Type: application/json',
    `Content-Length: ${String(Buffer.byteLength(body))}`,
    ...(status === 429 ? ['Retry-After: 1'] : []),
    'Connection: close',
  ];
  return `${headers.join('\r\n')}\r\n\r\n${body}`;
}
