import type { Backends } from './backends.ts';
import { createCaptureActivities } from './capture.ts';
import { createCheckActivities } from './checks.ts';
import { createHoldActivities } from './hold.ts';
import { createPlanActivities } from './plan-recovery.ts';
import { createPlatformActivities } from './platform.ts';
import { createPointActivities } from './points.ts';
import { createPrerequisiteActivities } from './prerequisites.ts';
import { createRecoverActivities } from './recover.ts';
import { createRenewalActivities } from './renewal.ts';
import { createUpgradeActivities } from './upgrade.ts';
import { createVolumeActivities } from './volumes.ts';

/** The registry of the activities: every group, spread into one object. */
export function createActivities(backends: Backends) {
  return {
    ...createCaptureActivities(backends),
    ...createCheckActivities(backends),
    ...createHoldActivities(backends),
    ...createPlanActivities(backends),
    ...createPlatformActivities(backends),
    ...createPointActivities(backends),
    ...createPrerequisiteActivities(backends),
    ...createRecoverActivities(backends),
    ...createRenewalActivities(backends),
    ...createUpgradeActivities(backends),
    ...createVolumeActivities(backends),
  };
}

/** Every activity by its name: what workflows import, as a type. */
export type Activities = ReturnType<typeof createActivities>;
