import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

/** What happens to a request; undefined lets it pass. */
export type Fault =
  /** The request is answered like this and never reaches the server. */
  | {
      readonly kind: 'answer';
      readonly status: number;
      readonly headers?: Record<string, string>;
      readonly body?: string;
    }
  /** The server does it, and the answer is lost. */
  | { readonly kind: 'lose-answer' }
  /** The connection breaks after so many bytes of the answer. */
  | { readonly kind: 'break-answer'; readonly afterBytes: number }
  /** One bit of the body is flipped on its way to the server. */
  | { readonly kind: 'flip-bit' }
  /** The request reaches the server late. */
  | { readonly kind: 'delay'; readonly ms: number }
  /** The request reaches the server once this is resolved. */
  | { readonly kind: 'hold'; readonly until: Promise<void> }
  /** Nobody answers. */
  | { readonly kind: 'silence' };

/** A proxy before a real S3 server that makes faults. */
export type FaultProxy = { readonly endpoint: string; readonly requests: string[]; stop(): Promise<void> };

/**
 * Starts a proxy.
 * @param decide - the fault of a request, `PUT /bucket/key?uploadId=…`, called once for each
 * @param host - the address that it listens on, of this machine
 */
export async function startFaultProxy(
  target: string,
  decide: (line: string) => Fault | undefined,
  host = '127.0.0.1',
): Promise<FaultProxy> {
  const requests: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((incoming, outgoing) => {
    const line = `${incoming.method ?? ''} ${incoming.url ?? ''}`;
    requests.push(line);
    const fault = decide(line);
    if (fault?.kind === 'silence') return;
    if (fault?.kind === 'answer') {
      incoming.resume();
      incoming.once('end', () => outgoing.writeHead(fault.status, fault.headers).end(fault.body));
      return;
    }
    const late = (): void => {
      // a client that went away meanwhile would never end its request
      if (!incoming.destroyed) pass(target, incoming, outgoing, fault);
    };
    if (fault?.kind === 'delay') setTimeout(late, fault.ms);
    else if (fault?.kind === 'hold') void fault.until.then(late);
    else pass(target, incoming, outgoing, fault);
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  return {
    endpoint: `http://${host}:${String((server.address() as AddressInfo).port)}`,
    requests,
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function pass(target: string, incoming: IncomingMessage, outgoing: ServerResponse, fault: Fault | undefined): void {
  // the signature covers the name of the host that the client called
  const forwarded = request(
    target + (incoming.url ?? ''),
    { method: incoming.method ?? 'GET', headers: incoming.headers, setHost: false },
    (answer) => {
      if (fault?.kind === 'lose-answer') {
        answer.resume();
        answer.once('end', () => outgoing.destroy());
        return;
      }
      outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
      let sent = 0;
      answer.on('data', (chunk: Buffer) => {
        const left = fault?.kind === 'break-answer' ? Math.max(0, fault.afterBytes - sent) : chunk.byteLength;
        outgoing.write(chunk.subarray(0, left));
        sent += chunk.byteLength;
        if (fault?.kind === 'break-answer' && sent >= fault.afterBytes) setTimeout(() => outgoing.destroy(), 20);
      });
      answer.once('end', () => outgoing.end());
    },
  );
  forwarded.on('error', () => outgoing.destroy());
  incoming.once('close', () => {
    if (!incoming.complete) forwarded.destroy();
  });
  let flipped = fault?.kind !== 'flip-bit';
  incoming.on('data', (chunk: Buffer) => {
    if (!flipped) chunk[0] = (chunk[0] ?? 0) ^ 1;
    flipped = true;
    forwarded.write(chunk);
  });
  incoming.once('end', () => forwarded.end());
}
