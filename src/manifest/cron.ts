import { CronTime } from 'cron';

/** The first time after `now` that a cron expression names, in UTC; milliseconds since 1970. */
export function nextTime(schedule: string, now: number): number {
  return new CronTime(schedule, 'UTC').getNextDateFrom(new Date(now), 'UTC').toMillis();
}

/** Whether a text of the right shape names times at all. */
export function isCronExpression(text: string): boolean {
  try {
    nextTime(text, Date.now());
    return true;
  } catch {
    return false;
  }
}
