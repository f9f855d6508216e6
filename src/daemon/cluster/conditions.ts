import type { KubeObject } from '../../kube/object.ts';

/** A condition as it stands in an object's status. */
export interface ObjectCondition {
  readonly type: 'Ready' | 'Reconciling' | 'Stalled' | 'Mirrored';
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason: string;
  readonly message: string;
  readonly lastTransitionTime: string;
  readonly observedGeneration?: number;
}

/** How an object stands: as it is meant, on the way there by itself, or not without a person. */
export interface Stand {
  readonly state: 'ready' | 'going-on' | 'stalled' | 'unknown';
  readonly reason: string;
  readonly message: string;
}

/** What is said of an object beside how it stands. */
export interface Said extends Pick<ObjectCondition, 'status' | 'reason' | 'message'> {
  readonly type: 'Mirrored';
}

const LONGEST = 32_768;

/**
 * The conditions of an object as kstatus reads them: `Ready` always, `Reconciling` and `Stalled` while they hold. A time changes only with its
 * condition. `said`: what stands there as well.
 */
export function conditionsOf(
  object: KubeObject,
  { state, ...why }: Stand,
  now: number,
  said?: Said,
): readonly ObjectCondition[] {
  const before = statusOf(object).conditions ?? [];
  const { generation } = object.metadata;
  const condition = (
    type: ObjectCondition['type'],
    status: ObjectCondition['status'],
    { reason, message }: Pick<ObjectCondition, 'reason' | 'message'> = why,
  ): ObjectCondition => {
    const last = before.find((one) => one.type === type);
    const lastTransitionTime = last?.status === status ? last.lastTransitionTime : new Date(now).toISOString();
    const text = message.length > LONGEST ? `${message.slice(0, LONGEST - 1)}…` : message;
    return {
      type,
      status,
      reason,
      message: text,
      lastTransitionTime,
      ...(generation === undefined ? {} : { observedGeneration: generation }),
    };
  };
  const ready = state === 'ready' ? 'True' : state === 'unknown' ? 'Unknown' : 'False';
  return [
    condition('Ready', ready),
    ...(state === 'going-on' || state === 'unknown' ? [condition('Reconciling', 'True')] : []),
    ...(state === 'stalled' ? [condition('Stalled', 'True')] : []),
    ...(said === undefined ? [] : [condition(said.type, said.status, said)]),
  ];
}

/** The status of an object as it was last seen. */
export function statusOf(object: KubeObject): {
  readonly conditions?: readonly ObjectCondition[];
  readonly lastHandledReconcileAt?: string;
  readonly [field: string]: unknown;
} {
  return (object['status'] ?? {}) as { readonly conditions?: readonly ObjectCondition[] };
}

/** Whether the status says, of the object as it is written now, that it stands as it is meant. */
export function isReady(object: KubeObject): boolean {
  const ready = statusOf(object).conditions?.find(({ type }) => type === 'Ready');
  return ready?.status === 'True' && ready.observedGeneration === object.metadata.generation;
}
