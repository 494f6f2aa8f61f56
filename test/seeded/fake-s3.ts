import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { openStore } from '../../activities/open-store.ts';
import type { StoreConfig } from '../../model/platform.ts';
import type { Store } from '../../transfer/store.ts';
import { type Answer, answer, answerError } from './fake-answers.ts';
import { FakeBucket } from './fake-bucket.ts';
import {
  type FakeFault,
  type FakeRequest,
  flipBit,
  type Profile,
  readRequest,
  refuseBody,
  wholeProfile,
} from './fake-request.ts';

/** Further off a clock may not be. */
const mostSkewMs = 15 * 60 * 1000;

/** How a server behaves. */
export type FakeS3Options = {
  readonly profile?: Partial<Profile> | undefined;
  /** How long each request waits before anything happens. */
  readonly latencyMs?: ((request: FakeRequest) => number) | undefined;
  /** How far its clock is ahead of ours. */
  readonly clockAheadMs?: number | undefined;
  /** The code by which credentials are refused; undefined where they are good. */
  readonly refuseCredentials?: ((request: FakeRequest) => string | undefined) | undefined;
};

/** An S3 server in this process, on the loopback, that makes faults. */
export type FakeS3 = {
  readonly endpoint: string;
  readonly bucket: FakeBucket;
  readonly requests: FakeRequest[];
  /** The fault of a request, asked once for each. */
  decide: (request: FakeRequest) => FakeFault | undefined;
  /** Bytes of the bodies of PUTs that arrived whole. */
  readonly receivedBytes: number;
  readonly config: StoreConfig;
  /** The real client of this server; each access key is a worker of its own. */
  open(accessKeyId?: string): Promise<Store>;
  stop(): Promise<void>;
};

/** Starts a server with one bucket. Any name of a bucket leads to it but `no-such-bucket`. */
export async function startFakeS3(options: FakeS3Options = {}): Promise<FakeS3> {
  const profile = { ...wholeProfile, ...options.profile };
  const now = (): Date => new Date(Date.now() + (options.clockAheadMs ?? 0));
  const bucket = new FakeBucket(now);
  const state = { received: 0 };
  const server = createServer({ keepAliveTimeout: 60_000 }, (incoming, outgoing) => {
    serve(incoming, outgoing).catch(() => outgoing.destroy());
  });
  const serve = async (incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> => {
    const request = readRequest(incoming, fake.requests.length + 1);
    fake.requests.push(request);
    const fault = fake.decide(request);
    if (fault?.kind === 'silence') return;
    const body = await readBody(incoming, fault?.kind === 'reset' ? fault.afterBytes : Number.POSITIVE_INFINITY);
    if (body === undefined) {
      incoming.socket.resetAndDestroy();
      return;
    }
    const latencyMs = options.latencyMs?.(request) ?? 0;
    if (latencyMs > 0) await pause(latencyMs);
    outgoing.setHeader('Date', now().toUTCString());
    outgoing.setHeader('x-amz-request-id', String(request.number));
    if (request.operation === 'PutObject' || request.operation === 'UploadPart') state.received += body.byteLength;
    const given = answerOf(request, fault, body);
    if (fault?.kind === 'lose-answer') outgoing.destroy();
    else send(outgoing, request, given, fault);
  };
  const answerOf = (request: FakeRequest, fault: FakeFault | undefined, body: Buffer): Answer => {
    if (fault?.kind === 'answer') return answerError(fault);
    if (fault?.kind === 'say') return { status: fault.status, headers: {}, body: Buffer.from(fault.body) };
    const refused = options.refuseCredentials?.(request);
    if (refused !== undefined) return answerError({ status: 403, code: refused });
    if (Math.abs(now().getTime() - signedAt(request)) > mostSkewMs)
      return answerError({ status: 403, code: 'RequestTimeTooSkewed' });
    if (request.bucket === 'no-such-bucket') return answerError({ status: 404, code: 'NoSuchBucket' });
    const arrived = fault?.kind === 'flip' && fault.ofAnswer !== true ? flipBit(body, fault.bit) : body;
    const refusal = refuseBody(request, arrived, profile);
    return refusal === undefined
      ? answer({ bucket, request, body: arrived, profile, drop: fault?.kind === 'drop' })
      : answerError(refusal);
  };
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const endpoint = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
  const config: StoreConfig = { url: `s3://bucket-${randomUUID().slice(0, 8)}/dr`, endpoint, region: 'us-east-1' };
  const fake: FakeS3 = {
    endpoint,
    bucket,
    requests: [],
    decide: () => undefined,
    get receivedBytes() {
      return state.received;
    },
    config,
    open: (accessKeyId = 'observer') => openStore(config, { accessKeyId, secretAccessKey: 'secret' }),
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return fake;
}

/** Runs something with a server of its own. */
export async function withFakeS3<Value>(
  options: FakeS3Options,
  work: (fake: FakeS3) => Promise<Value>,
): Promise<Value> {
  const fake = await startFakeS3(options);
  try {
    return await work(fake);
  } finally {
    await fake.stop();
  }
}

/** The whole body; undefined where the connection is to break before its end, or breaks. */
async function readBody(incoming: IncomingMessage, most: number): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  if (most <= 0) return undefined;
  try {
    for await (const chunk of incoming as AsyncIterable<Buffer>) {
      size += chunk.byteLength;
      if (size >= most) return undefined;
      chunks.push(chunk);
    }
  } catch {
    return undefined;
  }
  if (most !== Number.POSITIVE_INFINITY) return undefined;
  return Buffer.concat(chunks);
}

function signedAt({ headers }: FakeRequest): number {
  const [, ...parts] = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(headers['x-amz-date'] ?? '') ?? [];
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = parts.map(Number);
  return Date.UTC(year, month - 1, day, hour, minute, second);
}

function send(outgoing: ServerResponse, { operation }: FakeRequest, given: Answer, fault: FakeFault | undefined): void {
  const body = fault?.kind === 'flip' && fault.ofAnswer === true ? flipBit(given.body, fault.bit) : given.body;
  outgoing.writeHead(given.status, { 'content-length': String(given.body.byteLength), ...given.headers });
  if (operation === 'HeadObject') {
    outgoing.end();
    return;
  }
  if (fault?.kind !== 'break-answer') {
    outgoing.end(body);
    return;
  }
  outgoing.write(body.subarray(0, fault.afterBytes), () => {
    setTimeout(() => outgoing.destroy(), 5);
  });
}
