import { type ClientRequest, type IncomingMessage, request as requestPlain } from 'node:http';
import { type RequestOptions, request as requestSecure } from 'node:https';
import { z } from 'zod';
import { failure, LifeboatFailure } from '../../model/failures.ts';
import type { PodAddress } from '../clients/kubectl.ts';
import type { Kubernetes } from '../clients/kubernetes.ts';

const defaultTimeoutMs = 60_000;
/** Most answers are small; one that is not must not fill the worker's memory. */
const defaultLimitBytes = 64 * 1024 * 1024;

/** Option of the methods that ask such a product: its `--web.route-prefix`, without a slash behind. */
export const routePrefix = z
  .string()
  .regex(/^(\/.*[^/])?$/)
  .default('');

/** The HTTP API of a product in a pod. */
export type HttpServer = {
  readonly kubernetes: Kubernetes;
  readonly pod: PodAddress;
  readonly port: number;
  /** The product's own `--web.route-prefix`, without a slash behind; empty where it has none. */
  readonly prefix: string;
  readonly signal: AbortSignal;
};

/** One request. `verb` is what the message of a failure begins with: `list silences`. */
export type HttpRequest = {
  readonly verb: string;
  readonly method?: 'GET' | 'POST' | 'DELETE';
  readonly path: string;
  /** Sent as JSON. */
  readonly body?: unknown;
  readonly timeoutMs?: number;
  readonly limitBytes?: number;
};

/** A good answer. */
export type HttpAnswer = {
  readonly text: string;
  /** The product's clock, as its answer says; undefined where it does not. */
  readonly at: Date | undefined;
};

/**
 * Asks a product's HTTP API through the API server's proxy to its pod: no Service, client or shell in between, and no
 * port of the worker's own. It answers fenced releases too, whose Services lead nowhere.
 * Throws: ApiFailed with what the product said, CredentialMismatch where it wants others, PodGone, ClusterDenied without
 * the right to `pods/proxy`, ClusterUnreachable, StepTimedOut; the signal's reason.
 */
export async function askPod(server: HttpServer, asked: HttpRequest): Promise<HttpAnswer> {
  const { status, text, date } = await send(server, asked);
  if (status >= 200 && status < 300) return { text, at: date === undefined ? undefined : new Date(date) };
  throw answerFailure(asked, status, text);
}

/** The same, with an answer of JSON. */
export async function askPodForJson(server: HttpServer, asked: HttpRequest): Promise<{ json: unknown; at?: Date }> {
  const { text, at } = await askPod(server, asked);
  try {
    return { json: JSON.parse(text), ...(at === undefined ? {} : { at }) };
  } catch {
    throw failure('ApiFailed', { message: `${asked.verb}: the answer is no JSON: ${shortened(text)}` });
  }
}

type RawAnswer = { readonly status: number; readonly text: string; readonly date: string | undefined };

async function send(server: HttpServer, asked: HttpRequest): Promise<RawAnswer> {
  const { kubernetes, pod, port, prefix, signal } = server;
  const { verb, method = 'GET', timeoutMs = defaultTimeoutMs } = asked;
  signal.throwIfAborted();
  const late = AbortSignal.timeout(timeoutMs);
  const url = new URL(kubernetes.server);
  const body = asked.body === undefined ? undefined : Buffer.from(JSON.stringify(asked.body));
  const options: RequestOptions = {
    method,
    host: url.hostname,
    port: url.port === '' ? undefined : url.port,
    path: `${url.pathname.replace(/\/$/, '')}/api/v1/namespaces/${pod.namespace}/pods/${pod.pod}:${String(port)}/proxy${prefix}${asked.path}`,
    headers: {
      accept: 'application/json',
      ...(body === undefined ? {} : { 'content-type': 'application/json', 'content-length': body.byteLength }),
    },
    signal: AbortSignal.any([signal, late]),
  };
  await kubernetes.authenticate(options);
  try {
    const message = await new Promise<IncomingMessage>((resolve, reject) => {
      const sent: ClientRequest = (url.protocol === 'http:' ? requestPlain : requestSecure)(options, resolve);
      sent.on('error', reject);
      sent.end(body);
    });
    const text = await readBounded(message, asked);
    return { status: message.statusCode ?? 0, text, date: message.headers.date };
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof LifeboatFailure || !(error instanceof Error) || !('code' in error)) throw error;
    if (late.aborted)
      throw failure('StepTimedOut', {
        message: `${verb}: no whole answer for ${String(timeoutMs / 1000)} s`,
        changed: method === 'GET' ? 'no' : 'unknown',
      });
    throw failure('ClusterUnreachable', {
      message: `${verb}: ${String(error.code)}`,
      changed: method === 'GET' ? 'no' : 'unknown',
      cause: error,
    });
  }
}

async function readBounded(
  message: IncomingMessage,
  { verb, limitBytes = defaultLimitBytes }: HttpRequest,
): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of message as AsyncIterable<Buffer>) {
    size += chunk.byteLength;
    if (size > limitBytes) {
      message.destroy();
      throw failure('ApiFailed', { message: `${verb}: the answer is longer than ${String(limitBytes)} bytes` });
    }
    chunks.push(chunk);
  }
  if (!message.complete) throw failure('ApiFailed', { message: `${verb}: the answer ended early` });
  return Buffer.concat(chunks).toString('utf8');
}

/** Who refused: the API server speaks of a `Status`, everything else is the product's own word. */
function answerFailure({ verb, method = 'GET' }: HttpRequest, status: number, text: string): LifeboatFailure {
  const changed = method === 'GET' ? 'no' : 'unknown';
  const said = statusMessage(text);
  if (said !== undefined) {
    if (status === 401 || status === 403) return failure('ClusterDenied', { message: `${verb}: ${said}` });
    if (status === 404) return failure('PodGone', { message: `${verb}: ${said}` });
    return failure('ApiFailed', { message: `${verb}: ${said}`, changed });
  }
  const message = `${verb}: HTTP ${String(status)}, ${shortened(text)}`;
  if (status === 401 || status === 403) return failure('CredentialMismatch', { message });
  return failure('ApiFailed', { message, changed });
}

function statusMessage(text: string): string | undefined {
  if (!/"kind":\s*"Status"/.test(text)) return undefined;
  const { message } = JSON.parse(text) as { message?: string };
  return shortened(message ?? '');
}

/** What a product says, short enough for a message, without what looks like a credential. */
function shortened(text: string): string {
  return text
    .replace(/\s+/g, ' ')
    .replace(/\/\/[^/@\s]+@/g, '//…@')
    .replace(/((?:password|passwd|token|secret|authorization|api[_-]?key)["']?\s*[:=]\s*["']?)[^"',\s}]+/gi, '$1…')
    .trim()
    .slice(0, 300);
}
