import type { SeedPod } from '../../sandbox-recipe.ts';

const minute = 60;

/**
 * Beside what the server scrapes from itself: two days of older samples in blocks of their own, with a histogram, labels
 * that need quoting, and a series that is marked deleted.
 */
export async function seed(pod: SeedPod): Promise<void> {
  await pod.run(
    ['sh', '-ceu', 'cat >/tmp/seed && promtool tsdb create-blocks-from openmetrics /tmp/seed /prometheus'],
    history(),
  );
  await pod.run(['sh', '-ceu', untilLoaded]);
  await pod.run([
    'sh',
    '-ceu',
    `wget -q -O - --post-data '' 'http://127.0.0.1:9090/api/v1/admin/tsdb/delete_series?match[]=shop_mistake'`,
  ]);
}

/** The server looks for new blocks once a minute. */
const untilLoaded = `
for second in $(seq 150); do
  said=$(wget -q -O - 'http://127.0.0.1:9090/api/v1/query?query=count(count_over_time(shop_orders_total[3d]))')
  case $said in *'"value":['*) exit ;; esac
  sleep 1
done
echo "the blocks were not loaded: $said" >&2
exit 1`;

/** In the format OpenMetrics, the last three hours left out: those are the server's own. */
function history(): string {
  const now = Math.floor(Date.now() / 1000 / minute) * minute;
  const times = Array.from({ length: 540 }, (_, i) => now - 3 * 3600 - (540 - i) * 5 * minute);
  const lines = [
    '# TYPE shop_orders counter',
    ...['de', 'at', 'Zoë "&" \\\\ Söhne'].flatMap((shop, at) =>
      times.map(
        (time, i) => `shop_orders_total{shop="${shop.replaceAll('"', '\\"')}"} ${String(i * (at + 3))} ${String(time)}`,
      ),
    ),
    '# TYPE shop_temperature gauge',
    ...Array.from({ length: 20 }, (_, room) =>
      times.map(
        (time, i) => `shop_temperature{room="${String(room)}"} ${String(20 + Math.sin(i / 10) * room)} ${String(time)}`,
      ),
    ).flat(),
    '# TYPE shop_latency_seconds histogram',
    ...['0.1', '1', '+Inf'].flatMap((bound, at) =>
      times.map((time, i) => `shop_latency_seconds_bucket{le="${bound}"} ${String(i * (at + 1))} ${String(time)}`),
    ),
    ...times.map((time, i) => `shop_latency_seconds_count ${String(i * 3)} ${String(time)}`),
    ...times.map((time, i) => `shop_latency_seconds_sum ${String(i * 0.4)} ${String(time)}`),
    '# TYPE shop_mistake gauge',
    ...times.map((time) => `shop_mistake 1 ${String(time)}`),
  ];
  return `${lines.join('\n')}\n# EOF\n`;
}
