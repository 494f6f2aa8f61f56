import { describe, expect, it } from 'vitest';
import {
  asCaptured,
  contentOfSilence,
  endedSilences,
  Silence,
  silenceFacts,
} from '../../../activities/facts/silences.ts';

const at = new Date('2026-11-25T12:00:00Z');
const hours = (count: number): string => new Date(at.getTime() + count * 3_600_000).toISOString();

function silence(of: object = {}): Silence {
  return Silence.parse({
    id: 'a1',
    status: { state: 'active' },
    updatedAt: hours(-1),
    comment: 'disk is being replaced',
    createdBy: 'zoë',
    startsAt: hours(-1),
    endsAt: hours(5),
    matchers: [
      { name: 'alertname', value: 'DiskFull', isRegex: false, isEqual: true },
      { name: 'instance', value: 'db-.*', isRegex: true, isEqual: true },
    ],
    ...of,
  });
}

const factsOf = (...silences: Silence[]): ReturnType<typeof silenceFacts> => silenceFacts(silences, at);

describe('the facts of silences', () => {
  it('are those of the content: neither the id, the begin of one that has begun, nor the order of matchers count', () => {
    const { matchers } = silence() as unknown as { matchers: object[] };
    const again = silence({ id: 'b2', startsAt: hours(0), updatedAt: hours(0), matchers: matchers.toReversed() });
    const old = silence({ matchers: [{ name: 'alertname', value: 'DiskFull', isRegex: false }, matchers[1]] });

    expect(factsOf(again)).toEqual(factsOf(silence()));
    expect(factsOf(old)).toEqual(factsOf(silence()));
  });

  it.each([
    ['another end', { endsAt: hours(6) }],
    ['another comment', { comment: 'other' }],
    ['another author', { createdBy: 'other' }],
    ['another matcher', { matchers: [{ name: 'alertname', value: 'DiskFull', isRegex: false, isEqual: false }] }],
    ['another begin, where it has not begun', { status: { state: 'pending' }, startsAt: hours(1) }],
    ['what a later version adds', { annotations: { ticket: '7' } }],
  ])('differ with %s', (_, of) => {
    expect(factsOf(silence(of))).not.toEqual(factsOf(silence()));
  });

  it('count those that say the same, and leave out what is over', () => {
    expect(Object.values(factsOf(silence(), silence({ id: 'b2' })))).toEqual(['begun begun']);
    expect(factsOf(silence({ status: { state: 'expired' } }), silence({ endsAt: hours(0) }))).toEqual({});
  });

  it('of one that began after the capture are those of the capture', () => {
    const pending = silence({ status: { state: 'pending' }, startsAt: hours(1) });
    const captured = factsOf(pending);
    const later = new Date(at.getTime() + 2 * 3_600_000);
    const made = silence({ id: 'b2', startsAt: later.toISOString() });

    expect(asCaptured(silenceFacts([made], later), captured, later)).toEqual(captured);
    expect(asCaptured(silenceFacts([made, made], later), captured, later)).not.toEqual(captured);
    expect(asCaptured(factsOf(silence()), captured, at)).not.toEqual(captured);
  });

  it('name those whose end has passed', () => {
    const captured = factsOf(silence(), silence({ endsAt: hours(9) }));
    expect(endedSilences(captured, at)).toEqual([]);
    expect(endedSilences(captured, new Date(hours(6)))).toHaveLength(1);
  });
});

it('what is sent to make a silence again holds no id and no state', () => {
  expect(Object.keys(contentOfSilence(silence())).sort()).toEqual([
    'comment',
    'createdBy',
    'endsAt',
    'matchers',
    'startsAt',
  ]);
});
