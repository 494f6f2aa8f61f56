import { z } from 'zod';
import type { Facts } from '../../model/facts.ts';
import { failure } from '../../model/failures.ts';
import { askPod, askPodForJson, type HttpServer, routePrefix } from '../executors/http.ts';
import { stockCommand } from '../executors/stock-command.ts';
import {
  asCaptured,
  contentOfSilence,
  endedSilences,
  groupSilences,
  Silence,
  silenceFacts,
} from '../facts/silences.ts';
import type { Method, MethodContext, RestoreContext } from './method.ts';

const Options = z.strictObject({
  port: z.number().int().default(9093),
  prefix: routePrefix,
});
type Options = z.infer<typeof Options>;

/**
 * The silences of an Alertmanager that are in force or will be, by its API; expired ones have no effect and are left out.
 * Facts compare them by content: matchers, end, author, comment, and the begin of those that have not begun. Ids are new
 * where a silence had to be made again, and its begin is then the moment of the restore.
 * Restore: what is missing is made, what was not captured is ended; in a cluster one pod tells the others. Idempotent
 * because: each call compares first, so a repeated one makes no copies. Changes: silences.
 * Throws: ApiFailed, CredentialMismatch, PodGone, StepTimedOut, and what reading a damaged artifact throws, before anything
 * is changed. Source: Alertmanager, api/v2/openapi.yaml, `/silences` and `/silence/{silenceID}`.
 */
export const alertmanagerSilences: Method<Options> = {
  name: 'alertmanager-silences',
  options: Options,

  async capture(context) {
    context.progress('list silences');
    const { silences, at } = await listSilences(await serverOf(context));
    const { port, prefix } = context.options;
    const amtool = ['amtool', `--alertmanager.url=http://127.0.0.1:${String(port)}${prefix}`, 'silence', 'import'];
    const inForce = [...groupSilences(silences, at).values()].flatMap((group) => group.silences);
    await context.writeBytes(
      'json',
      `${JSON.stringify(inForce, null, 1)}\n`,
      `${stockCommand(context.workload, amtool)}   # once: a second import makes copies`,
    );
    return {
      capturedAt: at.toISOString(),
      facts: silenceFacts(inForce, at),
      totals: { silences: inForce.length },
    };
  },

  async restore(context) {
    const captured = z.array(Silence).parse(JSON.parse(await context.readText('json')));
    const server = await serverOf(context);
    const { silences, at } = await listSilences(server);
    const wanted = groupSilences(captured, at);
    const live = groupSilences(silences, at);
    for (const [key, group] of wanted) {
      const missing = group.silences.slice(live.get(key)?.silences.length ?? 0);
      for (const silence of missing) {
        context.progress('make silence');
        await askPod(server, {
          verb: 'make silence',
          method: 'POST',
          path: '/api/v2/silences',
          body: contentOfSilence(silence),
        });
      }
    }
    for (const [key, group] of live) {
      for (const { id } of group.silences.slice(wanted.get(key)?.silences.length ?? 0)) {
        context.progress('end silence');
        await askPod(server, {
          verb: 'end silence',
          method: 'DELETE',
          path: `/api/v2/silence/${encodeURIComponent(id)}`,
        });
      }
    }
  },

  async readFacts(context) {
    return await readFactsOf(context);
  },

  expired: (facts, at) => ({ paths: endedSilences(facts, at), reason: 'silences whose end has passed' }),
};

async function serverOf(context: MethodContext<Options>): Promise<HttpServer> {
  const { backends, options, signal } = context;
  return { ...options, kubernetes: backends.kubernetes, pod: await context.pod(), signal };
}

async function readFactsOf(context: RestoreContext<Options>): Promise<Facts> {
  const { silences, at } = await listSilences(await serverOf(context));
  return asCaptured(silenceFacts(silences, at), context.capturedFacts, at);
}

/** All silences, and the server's clock. */
async function listSilences(server: HttpServer): Promise<{ silences: Silence[]; at: Date }> {
  const { json, at } = await askPodForJson(server, { verb: 'list silences', path: '/api/v2/silences' });
  const parsed = z.array(Silence).safeParse(json);
  if (!parsed.success || at === undefined)
    throw failure('ApiFailed', { message: 'list silences: the answer is not that of an Alertmanager' });
  return { silences: parsed.data, at };
}
