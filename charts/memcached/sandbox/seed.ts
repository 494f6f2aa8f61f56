import type { SeedPod } from '../../sandbox-recipe.ts';

/** A few hundred keys, which a recovery does not bring back: a cache is cold after it. */
export async function seed(pod: SeedPod): Promise<void> {
  const commands = Array.from(
    { length: 300 },
    (_, i) => `set page:${String(i)} 0 3600 ${String(10 + (i % 50))}\r\n${'x'.repeat(10 + (i % 50))}\r\n`,
  ).join('');
  const said = await pod.run(
    ['bash', '-c', 'exec 3<>/dev/tcp/127.0.0.1/11211; cat >&3; cat <&3'],
    `${commands}quit\r\n`,
  );
  const stored = said.split('STORED').length - 1;
  if (stored !== 300) throw new Error(`seed memcached: ${String(stored)} of 300 keys stored`);
}
