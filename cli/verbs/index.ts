import type { Verb } from '../verb.ts';
import { backup } from './backup.ts';
import { copies } from './copies.ts';
import { doctor } from './doctor.ts';
import { drill } from './drill.ts';
import { keys } from './keys.ts';
import { approve, cancel, decide, pause, resume } from './messages.ts';
import { plan } from './plan.ts';
import { points } from './points.ts';
import { expire, replicate } from './points-runs.ts';
import { recover } from './recover.ts';
import { repair, unlock } from './repair.ts';
import { report, runs, watch } from './runs.ts';
import { schedules } from './schedules.ts';
import { status } from './status.ts';
import { store } from './store.ts';
import { upgrade } from './upgrade.ts';
import { verify } from './verify.ts';
import { worker } from './worker.ts';

/** Every verb, in the order of the help. */
export const verbs: readonly Verb[] = [
  status,
  backup,
  points,
  verify,
  recover,
  drill,
  upgrade,
  runs,
  watch,
  report,
  approve,
  decide,
  pause,
  resume,
  cancel,
  repair,
  unlock,
  copies,
  expire,
  replicate,
  store,
  schedules,
  doctor,
  plan,
  keys,
  worker,
];
