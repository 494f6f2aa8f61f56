import { hash } from 'node:crypto';
import canonicalize from 'canonicalize';
import { z } from 'zod';
import type { Facts } from '../../model/facts.ts';

/** A silence as the API v2 of Alertmanager answers it. What later versions add (annotations) is kept as it is. */
export const Silence = z.looseObject({
  id: z.string(),
  status: z.object({ state: z.enum(['active', 'pending', 'expired']) }),
  startsAt: z.iso.datetime({ offset: true }),
  endsAt: z.iso.datetime({ offset: true }),
});
export type Silence = z.infer<typeof Silence>;

/** What a silence says, without its id and what the server says of it: this is sent to make it again. */
export function contentOfSilence(silence: Silence): Record<string, unknown> {
  return Object.fromEntries(Object.entries(silence).filter(([key]) => !['id', 'status', 'updatedAt'].includes(key)));
}

/** Silences that do the same at an instant, by their end, content and begin; ids are no part of it. */
export type SilenceGroup = {
  /** `silence/<end>/<digest of the content>`: the end stands in it, so that those whose end has passed are known by it. */
  readonly path: string;
  /** `begun`, or the instant at which they will; one that is made again later than it began does the same. */
  readonly begin: string;
  readonly silences: readonly Silence[];
};

/** What is in force at an instant, or will be. */
export function groupSilences(silences: readonly Silence[], at: Date): Map<string, SilenceGroup> {
  const groups = new Map<string, SilenceGroup>();
  for (const silence of silences) {
    if (silence.status.state === 'expired' || Date.parse(silence.endsAt) <= at.getTime()) continue;
    const path = `silence/${instant(silence.endsAt)}/${hash('sha256', keyOf(silence)).slice(0, 32)}`;
    const begin = silence.status.state === 'active' ? 'begun' : begun(instant(silence.startsAt), at);
    const key = `${path} ${begin}`;
    groups.set(key, { path, begin, silences: [...(groups.get(key)?.silences ?? []), silence] });
  }
  return groups;
}

/** Facts of the silences that are in force at an instant, or will be: path → when each of them begins. */
export function silenceFacts(silences: readonly Silence[], at: Date): Facts {
  const begins = new Map<string, string[]>();
  for (const { path, begin, silences: alike } of groupSilences(silences, at).values())
    begins.set(path, [...(begins.get(path) ?? []), ...alike.map(() => begin)]);
  return Object.fromEntries([...begins].map(([path, all]) => [path, all.sort().join(' ')]));
}

/** Facts of now in the words of a capture: those that were to begin since then have begun. */
export function asCaptured(facts: Facts, captured: Facts, at: Date): Facts {
  const now = (value: string): string =>
    value
      .split(' ')
      .map((begin) => begun(begin, at))
      .sort()
      .join(' ');
  return Object.fromEntries(
    Object.entries(facts).map(([path, value]) => {
      const was = captured[path];
      return [path, typeof was === 'string' && now(was) === value ? was : value];
    }),
  );
}

/** Paths of facts whose end has passed. */
export function endedSilences(facts: Facts, at: Date): string[] {
  return Object.keys(facts).filter((path) => Date.parse(path.split('/')[1] ?? '') <= at.getTime());
}

function begun(begin: string, at: Date): string {
  return begin === 'begun' || Date.parse(begin) <= at.getTime() ? 'begun' : begin;
}

function instant(text: string): string {
  return new Date(text).toISOString();
}

function keyOf(silence: Silence): string {
  const content = contentOfSilence(silence);
  const { matchers } = content;
  const alike = Array.isArray(matchers) ? matchers.map((matcher) => canonicalize(whole(matcher))).sort() : matchers;
  return canonicalize({ ...content, matchers: alike, startsAt: undefined, endsAt: undefined }) ?? '';
}

/** A matcher with the default that later versions write out. */
function whole(matcher: unknown): unknown {
  return typeof matcher === 'object' && matcher !== null && 'isRegex' in matcher && !('isEqual' in matcher)
    ? { ...matcher, isEqual: true }
    : matcher;
}
