import { CronTime } from 'cron';

/** One sync window: an occurrence of the schedule opens it, `duration` (milliseconds) later it closes. */
export interface Window {
  readonly effect: 'allow' | 'deny';
  /** Five-field cron expression. */
  readonly schedule: string;
  readonly duration: number;
  /** IANA name; UTC when absent. */
  readonly timeZone?: string;
}

/**
 * Whether changes may be applied now: a `deny` window that is open forbids; where there are `allow` windows, one of them has
 * to be open; no windows allow everything. Times are milliseconds since 1970.
 */
export function openAt(
  windows: readonly Window[],
  now: number,
): { readonly open: true } | { readonly open: false; readonly because: string } {
  const denying = windows.find((window) => window.effect === 'deny' && covers(window, now));
  if (denying !== undefined) return { open: false, because: `the window "deny ${denying.schedule}" is in force` };
  const allowing = windows.filter((window) => window.effect === 'allow');
  if (allowing.length === 0 || allowing.some((window) => covers(window, now))) return { open: true };
  return {
    open: false,
    because: `no "allow" window is open (${allowing.map((window) => window.schedule).join('; ')})`,
  };
}

/** Whether the latest occurrence that began at most `duration` ago covers this moment. */
function covers(window: Window, now: number): boolean {
  const time = new CronTime(window.schedule, window.timeZone ?? 'UTC');
  return time.getNextDateFrom(new Date(now - window.duration)).toMillis() <= now;
}
