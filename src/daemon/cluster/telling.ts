import type { KubeTelling } from '../../kube/events.ts';
import type { EventType, Telling } from '../../report/situations.ts';

const NORMAL: ReadonlySet<EventType> = new Set(['applied', 'recovered']);

/** What a pass tells, as an Event of its Sync. */
export function tellingOf({ type, key, message }: Telling, redact: (text: string) => string): KubeTelling {
  const reason = type.replaceAll(/(?:^|-)([a-z])/g, (_, letter: string) => letter.toUpperCase());
  const about = key === undefined || message.includes(key) ? '' : `${key}: `;
  return {
    type: NORMAL.has(type) ? 'Normal' : 'Warning',
    reason,
    action: 'Reconcile',
    note: redact(`${about}${message}`),
  };
}
