import { LifeboatFailure } from '../model/failures.ts';

const beforeAnyContact = new Set([
  'InputInvalid',
  'ConfigInvalid',
  'PlanInvalid',
  'PlanNotFound',
  'ScheduleUnfit',
  'ReleaseUnknown',
  'KeyInvalid',
  'ToolMissing',
  'ToolTooOld',
  'RecipientInvalid',
]);

/** Exit code of a failure that stopped a command: 2 for what was wrong before any contact, else 1. */
export function exitCodeOf(error: unknown): number {
  return error instanceof LifeboatFailure && beforeAnyContact.has(error.code) ? 2 : 1;
}
