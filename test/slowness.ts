/**
 * About how long the loop below takes on the two cores whose times stand in docs/explanation/tests.md: reckoned from the check,
 * which took 2.7 times as long as there on cores where the loop took 285 ms.
 */
const referenceMs = 100;

/** About how many times as slow as those this machine computes, from 1 to 4: tests wait so much longer, and fewer run at once. */
export const slowness = Number(process.env['LIFEBOAT_TEST_SLOWNESS'] ?? '1');

/** Above it two processors are busy with fewer files at once, and a run with a time does not get to all of them. */
export const verySlow = 2.5;

/** Measures it: the best of five rounds of arithmetic, in processor time, so that what else runs here counts little. */
export function measureSlowness(): number {
  // Who asks for the sum makes sure that the loop is not left out.
  const rounds = Array.from({ length: 5 }, () => {
    const before = process.cpuUsage();
    let sum = 0;
    for (let index = 0; index < 5e7; index += 1) sum = (sum + index * index) | 0;
    const { user, system } = process.cpuUsage(before);
    return sum === 0.5 ? 0 : (user + system) / 1_000;
  });
  return Math.min(4, Math.max(1, Number((Math.min(...rounds) / referenceMs).toFixed(1))));
}
