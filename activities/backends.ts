import type { Platform } from '../model/platform.ts';
import type { RecoveryKit } from '../model/recovery-kit.ts';
import type { Store } from '../transfer/store.ts';
import type { ClusterAccess } from './clients/kubectl.ts';
import type { Kubernetes } from './clients/kubernetes.ts';
import type { PlanCatalogue } from './plan-catalogue.ts';

/** What the activities of one worker reach: made once at its start, given to every group of activities. */
export type Backends = {
  readonly platform: Platform;
  /** The text of lifeboat.yaml and its SHA-256: the platform point carries the one, a client sends the other. */
  readonly platformText: string;
  readonly platformDigest: string;
  /** Directory that relative paths of lifeboat.yaml start from. */
  readonly baseDirectory: string;
  readonly access: ClusterAccess;
  readonly kubernetes: Kubernetes;
  readonly store: Store;
  readonly kit: RecoveryKit;
  readonly plans: PlanCatalogue;
  /** The address that the lock names: another control plane's runs cannot be asked whether they are closed. */
  readonly temporalAddress: string;
};
