import { durationMs } from '../../model/duration.ts';
import type { Manifest } from '../../model/recovery-point.ts';
import type { Retention } from '../../model/retention.ts';

const hourMs = 3_600_000;

/** What the model knows itself of a committed point. */
export type ModelPoint = {
  readonly manifest: Manifest;
  usable: boolean;
  restored: boolean;
  held: boolean;
  readonly lacks: number;
};

/** The points that must be there, by the words of the documentation: each line on its own, over all points that are whole. */
export function mustBeThere(
  world: { readonly points: ReadonlyMap<string, ModelPoint>; readonly retention: Retention; readonly now: number },
  wholeBefore: ReadonlySet<string>,
): Set<string> {
  const { retention: rules, now } = world;
  const whole = [...world.points.entries()].filter(([id]) => wholeBefore.has(id));
  const usable = whole.filter(([, point]) => point.usable);
  const kept = new Set<string>();
  const sequence = (id: string): number => world.points.get(id)?.manifest.sequence ?? 0;
  const captured = (id: string): number => Date.parse(world.points.get(id)?.manifest.capturedAt ?? '');
  const ids = usable.map(([id]) => id);
  const newest = ids.reduce<string | undefined>(
    (a, b) => (a === undefined || sequence(b) > sequence(a) ? b : a),
    undefined,
  );
  if (newest === undefined) return new Set(whole.map(([id]) => id));
  kept.add(newest);
  for (const [id, { held }] of whole) {
    if (held || now - captured(id) < durationMs(rules.all) || sequence(id) > sequence(newest)) kept.add(id);
    if (!ids.includes(id) && now - captured(id) < durationMs(rules.others)) kept.add(id);
    if (ids.filter((other) => sequence(other) > sequence(id)).length < rules.last && ids.includes(id)) kept.add(id);
  }
  const complete = ids.filter((id) => world.points.get(id)?.lacks === 0).sort((a, b) => sequence(b) - sequence(a))[0];
  if (complete !== undefined) kept.add(complete);
  const restored = ids
    .filter((id) => world.points.get(id)?.restored === true)
    .sort((a, b) => sequence(b) - sequence(a))[0];
  if (restored !== undefined) kept.add(restored);
  const day = (ms: number): number => Math.floor(ms / 86_400_000);
  // 1970 began on a Thursday.
  for (const [count, unit] of [
    [rules.hourly, (ms: number) => Math.floor(ms / hourMs)],
    [rules.daily, day],
    [rules.weekly, (ms: number) => Math.floor((day(ms) + 3) / 7)],
  ] as const) {
    const units = [...new Set(ids.map((id) => unit(captured(id))))].sort((a, b) => b - a).slice(0, count);
    for (const each of units) {
      const own = ids
        .filter((id) => unit(captured(id)) === each)
        .sort((a, b) => captured(b) - captured(a) || sequence(b) - sequence(a));
      for (const id of [own[0], own.find((other) => world.points.get(other)?.lacks === 0)])
        if (id !== undefined) kept.add(id);
    }
  }
  return kept;
}
