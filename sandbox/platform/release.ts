/** A release that the sandbox installs. */
export type SandboxRelease = {
  /** Folder of `charts/`. */
  readonly chart: string;
  readonly namespace: string;
  readonly name: string;
  /** Values over those of `charts/<chart>/sandbox/values.yaml`. */
  readonly values?: Readonly<Record<string, unknown>>;
};

/** The platform of the demo: eight releases in four namespaces; wordpress keeps its database in the mysql release. */
export const demoPlatform: readonly SandboxRelease[] = [
  { chart: 'postgresql', namespace: 'shop-data', name: 'postgresql' },
  { chart: 'redis', namespace: 'shop-data', name: 'redis' },
  { chart: 'mysql', namespace: 'shop-web', name: 'mysql' },
  { chart: 'wordpress', namespace: 'shop-web', name: 'wordpress' },
  { chart: 'rabbitmq', namespace: 'shop-queue', name: 'rabbitmq' },
  { chart: 'prometheus', namespace: 'shop-ops', name: 'prometheus' },
  { chart: 'memcached', namespace: 'shop-ops', name: 'memcached' },
  { chart: 'alertmanager', namespace: 'shop-ops', name: 'alertmanager' },
];

/** Two releases for a test, in a namespace of its own. */
export function smallPlatform(prefix: string): readonly SandboxRelease[] {
  return [
    { chart: 'postgresql', namespace: `${prefix}-data`, name: 'postgresql' },
    { chart: 'redis', namespace: `${prefix}-data`, name: 'redis' },
  ];
}

/** A release as one writes it. */
export function releaseLabel({ namespace, name }: Pick<SandboxRelease, 'namespace' | 'name'>): string {
  return `${namespace}/${name}`;
}
