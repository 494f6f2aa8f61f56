import { patient } from './activity-proxies.ts';

/** Logs in to a release, and checks its health. @returns what held. @throws CredentialMismatch, HealthFailed */
export async function logInAndCheck(release: string): Promise<string> {
  const logins = await patient.runChecks.executeWithOptions({ summary: `log in to ${release}` }, [
    { release, kind: 'login' },
  ]);
  const health = await checkHealth(release);
  return `${String(logins)} logins, ${String(health)} checks`;
}

/** Checks the health of a release. @returns how many checks held. @throws HealthFailed */
export async function checkHealth(release: string): Promise<number> {
  return await patient.runChecks.executeWithOptions({ summary: `check the health of ${release}` }, [
    { release, kind: 'health' },
  ]);
}
