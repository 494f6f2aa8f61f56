import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { Kubernetes } from '../../../activities/clients/kubernetes.ts';
import { askPod, askPodForJson, type HttpServer } from '../../../activities/executors/http.ts';

/** The API server of a test answers as it is told; only faults are made here, real answers come from real servers. */
let api: Server | undefined;
const paths: string[] = [];

async function answering(answer: (response: ServerResponse) => void): Promise<HttpServer> {
  paths.length = 0;
  api = createServer((request, response) => {
    paths.push(`${String(request.method)} ${String(request.url)}`);
    request.resume();
    answer(response);
  });
  await new Promise<void>((resolve) => api?.listen(0, '127.0.0.1', resolve));
  return serverAt((api.address() as AddressInfo).port);
}

function serverAt(port: number): HttpServer {
  return {
    kubernetes: {
      server: `http://127.0.0.1:${String(port)}/behind`,
      authenticate: () => Promise.resolve(),
    } as unknown as Kubernetes,
    pod: { namespace: 'here', pod: 'product-0', container: 'product' },
    port: 9093,
    prefix: '/prefix',
    signal: new AbortController().signal,
  };
}

function status(code: number, message: string): (response: ServerResponse) => void {
  return (response) => {
    response.writeHead(code, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ kind: 'Status', apiVersion: 'v1', status: 'Failure', message, code }));
  };
}

const asked = { verb: 'list things', path: '/api/v2/things' } as const;

describe('a request to the API of a product', () => {
  afterEach(async () => {
    api?.closeAllConnections();
    await new Promise((resolve) => (api === undefined ? resolve(undefined) : api.close(resolve)));
    api = undefined;
  });

  it('goes through the proxy to its pod, with its body, and brings the clock of the product', async () => {
    const server = await answering((response) => {
      response.setHeader('date', 'Wed, 25 Nov 2026 12:00:00 GMT');
      response.end('{"made":true}');
    });

    const answer = await askPodForJson(server, { ...asked, method: 'POST', body: { name: 'x' } });

    expect(answer).toEqual({ json: { made: true }, at: new Date('2026-11-25T12:00:00Z') });
    expect(paths).toEqual(['POST /behind/api/v1/namespaces/here/pods/product-0:9093/proxy/prefix/api/v2/things']);
  });

  it.each([
    [403, 'pods "product-0" is forbidden: cannot get resource "pods/proxy"', 'ClusterDenied'],
    [404, 'pods "product-0" not found', 'PodGone'],
    [503, 'error trying to reach service: dial tcp 10.1.1.1:9093: connect: connection refused', 'ApiFailed'],
  ])(
    'that the API server refuses with %i is told from one that the product refuses',
    async (code, message, failure) => {
      const server = await answering(status(code, message));
      await expect(askPod(server, asked)).rejects.toMatchObject({ code: failure, message: `list things: ${message}` });
    },
  );

  it('that the product refuses says what it said, without what looks like a credential', async () => {
    const server = await answering((response) => {
      response.writeHead(400);
      response.end('bad matcher\n at http://me:secret-one@host, token=secret-two {"password":"secret-three"}');
    });

    const failure = await askPod(server, { ...asked, method: 'POST' }).catch((error: unknown) => error);

    expect(failure).toMatchObject({
      code: 'ApiFailed',
      changed: 'unknown',
      message: 'list things: HTTP 400, bad matcher at http://…@host, token=… {"password":"…"}',
    });
  });

  it('that wants other credentials is a CredentialMismatch', async () => {
    const server = await answering((response) => {
      response.writeHead(401);
      response.end('Unauthorized');
    });
    await expect(askPod(server, asked)).rejects.toMatchObject({ code: 'CredentialMismatch' });
  });

  it('is bounded in bytes and in time, and believes no answer that ends early', async () => {
    const long = await answering((response) => response.end('x'.repeat(2_000)));
    await expect(askPod(long, { ...asked, limitBytes: 1_000 })).rejects.toMatchObject({ code: 'ApiFailed' });
    api?.close();

    const silent = await answering((response) => response.write('half'));
    await expect(askPod(silent, { ...asked, timeoutMs: 200 })).rejects.toMatchObject({ code: 'StepTimedOut' });
    api?.closeAllConnections();
    api?.close();

    const cut = await answering((response) => {
      response.writeHead(200, { 'content-length': 100 });
      response.write('half', () => response.destroy());
    });
    await expect(askPod(cut, asked)).rejects.toMatchObject({ code: 'ClusterUnreachable' });
    api?.close();

    const text = await answering((response) => response.end('<html>'));
    await expect(askPodForJson(text, asked)).rejects.toMatchObject({ code: 'ApiFailed' });
  });

  it('to an API server that is not there, or of a run that was cancelled, says so', async () => {
    await expect(askPod(serverAt(1), asked)).rejects.toMatchObject({ code: 'ClusterUnreachable' });
    const cancelled = AbortSignal.abort(new Error('cancelled'));
    await expect(askPod({ ...serverAt(1), signal: cancelled }, asked)).rejects.toThrow('cancelled');
  });
});
