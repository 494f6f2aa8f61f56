import type { SeedPod } from '../../sandbox-recipe.ts';

/**
 * Silences of every kind: in force, yet to begin, expired, two alike, with each kind of matcher and text that needs
 * quoting; and an alert that was notified, for the notification log.
 */
export async function seed(pod: SeedPod): Promise<void> {
  for (const args of silences) await pod.run(amtool(['silence', 'add', '--author', 'seed', ...args]));
  const expired = await pod.run(amtool(['silence', 'add', '--author', 'seed', '--comment', 'over', 'alertname=Over']));
  await pod.run(amtool(['silence', 'expire', expired.trim()]));
  await pod.run(amtool(['alert', 'add', 'alertname=SeedFires', 'severity=page']));
  await pod.run(['sh', '-ceu', untilWritten]);
}

const silences = [
  ['--duration', '30d', '--comment', 'disk is being replaced', 'alertname=DiskFull', 'instance=db-1:9100'],
  ['--duration', '7d', '--comment', 'it\'s "quoted" `text` of Zoë & $HOME', 'alertname=~Backup.*', 'severity!=page'],
  ['--duration', '10d', '--comment', 'not these', 'alertname!~"Watchdog|Dead.*"', 'team="shop ü"'],
  ['--start', inDays(2), '--end', inDays(3), '--comment', 'planned work', 'cluster=eu'],
  // Two that say the same: both are kept.
  ['--end', inDays(20), '--comment', 'twice', 'alertname=Twice'],
  ['--end', inDays(20), '--comment', 'twice', 'alertname=Twice'],
];

/** Both files are written once a maintenance interval. */
const untilWritten = `
for second in $(seq 90); do
  if [ -s /alertmanager/nflog ] && [ -s /alertmanager/silences ]; then exit; fi
  sleep 1
done
echo "silences and notification log were not written: $(ls -l /alertmanager)" >&2
exit 1`;

function amtool(args: readonly string[]): string[] {
  return ['amtool', '--alertmanager.url=http://127.0.0.1:9093', ...args];
}

function inDays(days: number): string {
  return new Date(Math.floor(Date.now() / 1000) * 1000 + days * 86_400_000).toISOString();
}
