import type { Backends } from './backends.ts';
import { createCaptureActivities } from './capture.ts';
import { createCheckActivities } from './checks.ts';
import { createExpiryActivities } from './expiry.ts';
import { createGreenActivities } from './green.ts';
import { createGreenDataActivities } from './green-data.ts';
import { createHoldActivities } from './hold.ts';
import { createIsolationActivities } from './isolation.ts';
import { createDrillPlanActivities } from './plan-drill.ts';
import { createPlanActivities } from './plan-recovery.ts';
import { createPlatformActivities } from './platform.ts';
import { createPointActivities } from './points.ts';
import { createPrerequisiteActivities } from './prerequisites.ts';
import { createRecoverActivities } from './recover.ts';
import { createRenewalActivities } from './renewal.ts';
import { createReplicationActivities } from './replication.ts';
import { createScratchActivities } from './scratch-namespaces.ts';
import { createUpgradeActivities } from './upgrade.ts';
import { createVolumeActivities } from './volumes.ts';

/** The registry of the activities: every group, spread into one object. */
export function createActivities(backends: Backends) {
  return {
    ...createCaptureActivities(backends),
    ...createCheckActivities(backends),
    ...createDrillPlanActivities(backends),
    ...createExpiryActivities(backends),
    ...createGreenActivities(backends),
    ...createGreenDataActivities(backends),
    ...createHoldActivities(backends),
    ...createIsolationActivities(backends),
    ...createPlanActivities(backends),
    ...createPlatformActivities(backends),
    ...createPointActivities(backends),
    ...createPrerequisiteActivities(backends),
    ...createRecoverActivities(backends),
    ...createRenewalActivities(backends),
    ...createReplicationActivities(backends),
    ...createScratchActivities(backends),
    ...createUpgradeActivities(backends),
    ...createVolumeActivities(backends),
  };
}

/** Every activity by its name: what workflows import, as a type. */
export type Activities = ReturnType<typeof createActivities>;
