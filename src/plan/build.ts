import { hash } from 'node:crypto';
import type { Key, Kind } from '../manifest/manifest.ts';
import { unmanagedAccess } from './access.ts';
import { decide } from './decide.ts';
import type { DecideContext, Decision } from './decision.ts';
import { withoutDependents, type Surroundings } from './dependents.ts';
import type { Differences } from './diff.ts';
import { guard, instanceChanged, lostSight, type GuardContext } from './guard.ts';
import type { Matches } from './matches.ts';
import { stillInGit } from './match-reasons.ts';
import type { Reason } from './match-reasons.ts';
import { kindOf, type Observation } from './observation.ts';
import { leftovers, removals } from './removals.ts';
import { stages } from './stages.ts';
import type { Terms } from './terms.ts';
import type { Capabilities, Change, DesiredObject, LedgerRecord, LedgerView, Plan, Withheld } from './types.ts';

/** Everything a plan is made from; plain data, so that a plan can be made again from the same and be the same. */
export interface PlanInput {
  readonly sync: string;
  readonly platform: string;
  readonly revision: string;
  readonly terms: Terms;
  readonly desired: ReadonlyMap<Key, DesiredObject>;
  readonly unknown: { readonly keys: ReadonlySet<Key>; readonly kinds: ReadonlySet<Kind> };
  readonly hasErrors: boolean;
  readonly observation: Observation;
  readonly matches: Matches;
  /** Differing fields of the pairs that `matches` made, by key. */
  readonly differences: ReadonlyMap<Key, Differences>;
  readonly ledger: LedgerView;
  readonly facts: {
    readonly instance?: string;
    readonly rights: readonly string[];
    readonly capabilities: Capabilities;
  };
  readonly marks: readonly Kind[];
  /** All that git wants and all that is owned, also where a pass looks at a part only; `access`: roles and grants owned. */
  readonly totals: { readonly desired: number; readonly owned: number; readonly access?: number };
  /** Milliseconds since 1970. */
  readonly now: number;
}

/** The plan of one pass: pure, so the same input gives the same plan. */
export function build(input: PlanInput): Plan {
  const { terms, revision } = input;
  const context: DecideContext = {
    terms,
    revision,
    now: input.now,
    marks: (kind) => input.marks.includes(kind),
    provesAbsence: (kind) => input.observation.listed.get(kind)?.state === 'complete',
  };
  const guarding = guardContext(input, context);
  const otherInstance = instanceChanged(guarding) !== undefined;
  const lost = instanceChanged(guarding) ?? lostSight(guarding);
  const sighted: DecideContext = {
    ...context,
    provesAbsence: (kind) => lost === undefined && context.provesAbsence(kind),
  };
  const compared = [...input.matches.of.values()].map((match) => {
    const found = input.differences.get(match.desired.key);
    return decide(match, found, isExpired(match.desired, input.now) ? sighted : context);
  });
  const access = unmanagedAccess(input, context);
  const decisions = guard([...compared, ...removals(input, sighted, lost), ...access.decisions], guarding);
  const due = decisions.flatMap((one) => (one.change !== undefined && one.reason === undefined ? [one.change] : []));
  const withheld = decisions.flatMap((one) =>
    one.change !== undefined && one.reason !== undefined ? [{ change: one.change, ...one.reason }] : [],
  );
  const records = [...recordsOf(decisions), ...leftovers(input, sighted)];
  const plan: Plan = {
    format: 1,
    sync: input.sync,
    platform: input.platform,
    owner: terms.owner,
    revision,
    stages: [due],
    withheld,
    notices: [...input.matches.notices, ...access.notices, ...due.flatMap(stillInGit)],
    // What another instance has says nothing about ours.
    records: otherInstance ? [] : [...records, ...settledIntents(input, sighted, records)],
    counts: {
      desired: input.totals.desired,
      owned: input.totals.owned,
      inSync: [...input.matches.of.values()].filter(({ desired, observed }, index) => {
        const undecided = compared[index]?.change === undefined;
        return (
          undecided && observed !== undefined && (!desired.disabled || observed.fingerprint === desired.fingerprint)
        );
      }).length,
      drifted: decisions.filter((one) => one.drifted).length,
    },
    fingerprint: '',
  };
  return sealed(plan, {
    missing: new Set([...input.unknown.keys].filter((key) => !input.ledger.owned.has(key))),
    held: new Set(decisions.flatMap((one) => one.holdsOn ?? [])),
  });
}

/** A plan without the changes that somebody refuses (policy, preflight), and without what depends on them. */
export function withhold(plan: Plan, refused: ReadonlyMap<Key, Reason>): Plan {
  if (refused.size === 0) return plan;
  const changes = plan.stages.flat();
  const more = changes.flatMap((change): Withheld[] => {
    const reason = refused.get(change.key);
    return reason === undefined ? [] : [{ change, ...reason }];
  });
  return sealed({
    ...plan,
    stages: [changes.filter((change) => !refused.has(change.key))],
    withheld: [...plan.withheld, ...more],
  });
}

/** Only the changes of some keys, for `--only`; the others are not mentioned, but what depends on them waits. */
export function restrict(plan: Plan, keys: readonly string[]): Plan {
  if (keys.length === 0) return plan;
  const wanted = new Set(keys);
  const changes = plan.stages.flat();
  const left = changes.filter((change) => !wanted.has(change.key));
  return sealed(
    {
      ...plan,
      stages: [changes.filter((change) => wanted.has(change.key))],
      withheld: plan.withheld.filter((one) => wanted.has(one.change.key)),
    },
    {
      left: 'out',
      missing: new Set(left.flatMap((change) => (change.verb === 'create' ? [change.key] : []))),
      held: new Set(left.flatMap(neededMeanwhile)),
    },
  );
}

function neededMeanwhile(change: Change): readonly Key[] {
  if (change.verb === 'delete') return change.dependsOn;
  return change.verb === 'update' ? (change.formerly ?? []) : [];
}

/** Withholds what depends on withheld things, puts the rest in order and takes the plan's fingerprint. */
function sealed(plan: Plan, around: Surroundings = {}): Plan {
  const { due, withheld } = withoutDependents(plan.stages.flat(), plan.withheld, around);
  const ordered = stages(due);
  const identity = JSON.stringify([
    plan.owner,
    plan.platform,
    plan.revision,
    ordered,
    withheld.map((one) => [one.change.key, one.change.verb, one.code]),
  ]);
  return { ...plan, stages: ordered, withheld, fingerprint: hash('sha256', identity).slice(0, 32) };
}

function guardContext(input: PlanInput, context: DecideContext): GuardContext {
  const { ledger, matches, observation } = input;
  const gone = [...ledger.owned.values()].filter((owned) => {
    if (!context.provesAbsence(kindOf(owned.key))) return false;
    if (observation.objects.has(`${kindOf(owned.key)}:${owned.remote}`)) return false;
    return matches.of.get(owned.key)?.observed === undefined;
  });
  return {
    terms: input.terms,
    revision: input.revision,
    capabilities: input.facts.capabilities,
    hasErrors: input.hasErrors,
    unknownKinds: input.unknown.kinds,
    owned: input.totals.owned,
    access: input.totals.access ?? input.totals.owned,
    gone: gone.length,
    ledger,
    facts: input.facts,
  };
}

function isExpired({ expiresAt }: DesiredObject, now: number): boolean {
  return expiresAt !== undefined && expiresAt <= now;
}

function recordsOf(decisions: readonly Decision[]): LedgerRecord[] {
  return decisions.flatMap((one) => (one.record === undefined ? [] : [one.record]));
}

/** Once the platform has been looked at whole, it is known what became of every open intent. */
function settledIntents(input: PlanInput, context: DecideContext, records: readonly LedgerRecord[]): LedgerRecord[] {
  const owned = new Set(records.flatMap((record) => (record.record === 'own' ? [record.owned.key] : [])));
  return input.ledger.intents
    .filter((intent) => {
      const match = input.matches.of.get(intent.key);
      // Where the intent is the only proof of whose the object is, it stands until ownership is written down.
      if (match?.by === 'intent' && !owned.has(intent.key)) return false;
      return match?.observed !== undefined || context.provesAbsence(kindOf(intent.key));
    })
    .map((intent) => ({ record: 'settled', intent: intent.id }));
}
