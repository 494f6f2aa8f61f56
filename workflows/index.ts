export { backUpPlatform } from './back-up-platform.ts';
export { backUpRelease } from './back-up-release.ts';
export { recoverPlatform } from './recover-platform.ts';
export { recoverRelease } from './recover-release.ts';
export { runDrill } from './run-drill.ts';
export { selfTest } from './self-test.ts';
export { upgradeRelease } from './upgrade-release.ts';
export { verifyRecoveryPoint } from './verify-recovery-point.ts';
