import { CronTime } from 'cron';
import { messageOf } from '../errors.ts';

/** One sync window: an occurrence of the schedule opens it, `duration` (milliseconds) later it closes. */
export interface Window {
  readonly effect: 'allow' | 'deny';
  /** Five-field cron expression. */
  readonly schedule: string;
  readonly duration: number;
  /** IANA name; UTC when absent. */
  readonly timeZone?: string;
}

type State = { readonly open: true } | { readonly open: false; readonly because: string };

/**
 * Whether changes may be applied now: a `deny` window that is open forbids; where there are `allow` windows, one of them has
 * to be open; no windows allow everything. A window that cannot be worked out counts as closing. Times are milliseconds
 * since 1970. Never throws.
 */
export function openAt(windows: readonly Window[], now: number): State {
  const allowing = windows.filter((window) => window.effect === 'allow');
  const faults: string[] = [];
  let allowed = allowing.length === 0;
  for (const window of windows) {
    const covered = covers(window, now);
    if (typeof covered === 'string')
      faults.push(`the window "${window.effect} ${window.schedule}" cannot be worked out: ${covered}`);
    else if (covered && window.effect === 'deny')
      return { open: false, because: `the window "deny ${window.schedule}"${zone(window)} is in force` };
    else if (covered) allowed = true;
  }
  const [fault] = faults;
  if (fault !== undefined) return { open: false, because: fault };
  if (allowed) return { open: true };
  const schedules = allowing.map((window) => `${window.schedule}${zone(window)}`).join('; ');
  return { open: false, because: `no "allow" window is open (${schedules})` };
}

function zone({ timeZone }: Window): string {
  return timeZone === undefined ? '' : ` (${timeZone})`;
}

/**
 * Whether an occurrence that began less than `duration` ago covers this moment; a string says why that cannot be told. A
 * time that the clocks jump over occurs when they land, one that they pass twice occurs the first time.
 */
function covers(window: Window, now: number): boolean | string {
  const { schedule, duration, timeZone = 'UTC' } = window;
  try {
    // The zone has to be said again: without it, the library reads the schedule in the machine's own.
    return new CronTime(schedule, timeZone).getNextDateFrom(new Date(now - duration), timeZone).toMillis() <= now;
  } catch (error) {
    return messageOf(error).split('\n', 1)[0] ?? '';
  }
}
