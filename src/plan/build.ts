import { hash } from 'node:crypto';
import type { Key, Kind } from '../manifest/manifest.ts';
import { decide, type DecideContext, type Decision } from './decide.ts';
import type { Differences } from './diff.ts';
import { guard } from './guard.ts';
import type { Matches, Reason } from './match.ts';
import type { Observation } from './observation.ts';
import { removals, unmanagedAccess } from './removals.ts';
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
  /** All that git wants and all that is owned, also where a pass looks at a part only. */
  readonly totals: { readonly desired: number; readonly owned: number };
  /** Milliseconds since 1970. */
  readonly now: number;
}

/** The plan of one pass: pure, so the same input gives the same plan. */
export function build(input: PlanInput): Plan {
  const { terms, facts, ledger, revision } = input;
  const sameSight =
    (ledger.instance === undefined || facts.instance === undefined || ledger.instance === facts.instance) &&
    (ledger.rights ?? []).every((right) => facts.rights.includes(right));
  const context: DecideContext = {
    terms,
    revision,
    now: input.now,
    marks: (kind) => input.marks.includes(kind),
    provesAbsence: (kind) => input.observation.listed.get(kind)?.state === 'complete',
  };
  const compared = [...input.matches.of.values()].map((match) =>
    decide(match, input.differences.get(match.desired.key), context),
  );
  const sighted: DecideContext = { ...context, provesAbsence: (kind) => sameSight && context.provesAbsence(kind) };
  const access = unmanagedAccess(input, context);
  const decisions = guard([...compared, ...removals(input, sighted), ...access.decisions], {
    terms,
    revision,
    capabilities: facts.capabilities,
    hasErrors: input.hasErrors,
    unknownKinds: input.unknown.kinds,
    owned: input.totals.owned,
    ledger,
    facts,
  });
  const due = decisions.flatMap((one) => (one.change !== undefined && one.reason === undefined ? [one.change] : []));
  const withheld = decisions.flatMap((one) =>
    one.change !== undefined && one.reason !== undefined ? [{ change: one.change, ...one.reason }] : [],
  );
  const drifted = decisions.filter((one) => one.drifted).length;
  return sealed({
    format: 1,
    sync: input.sync,
    platform: input.platform,
    owner: terms.owner,
    revision,
    stages: [due],
    withheld,
    notices: [...input.matches.notices, ...access.notices],
    records: [...recordsOf(decisions), ...settledIntents(input, context)],
    counts: {
      desired: input.totals.desired,
      owned: input.totals.owned,
      inSync: compared.filter((one) => one.change === undefined).length,
      drifted,
    },
    fingerprint: '',
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

/** Only the changes of some keys, for `--only`; the others are not mentioned. */
export function restrict(plan: Plan, keys: readonly string[]): Plan {
  if (keys.length === 0) return plan;
  const wanted = new Set(keys);
  return sealed({
    ...plan,
    stages: [plan.stages.flat().filter((change) => wanted.has(change.key))],
    withheld: plan.withheld.filter((one) => wanted.has(one.change.key)),
  });
}

/** Withholds what depends on withheld things, puts the rest in order and takes the plan's fingerprint. */
function sealed(plan: Plan): Plan {
  const { due, withheld } = dependents(plan.stages.flat(), plan.withheld);
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

/** Law 8 before the fact: what needs an object that will not be created waits; what is still needed is not deleted. */
function dependents(
  changes: readonly Change[],
  withheld: readonly Withheld[],
): { due: Change[]; withheld: Withheld[] } {
  const result = [...withheld];
  const missing = new Set(withheld.filter((one) => one.change.verb === 'create').map((one) => one.change.key));
  const kept = new Set(withheld.filter((one) => one.change.verb === 'delete').flatMap((one) => one.change.dependsOn));
  let due = [...changes];
  for (;;) {
    const waits = new Set(
      due.filter((change) =>
        change.verb === 'delete' ? kept.has(change.key) : change.dependsOn.some((need) => missing.has(need)),
      ),
    );
    if (waits.size === 0) return { due, withheld: result };
    due = due.filter((change) => !waits.has(change));
    for (const change of waits) {
      if (change.verb === 'create') missing.add(change.key);
      if (change.verb === 'delete') for (const need of change.dependsOn) kept.add(need);
      result.push({ change, ...dependencyReason(change, missing) });
    }
  }
}

function dependencyReason(change: Change, missing: ReadonlySet<Key>): Reason {
  if (change.verb === 'delete') {
    return {
      code: 'dependency',
      because: `${change.key} is still needed by an object whose delete is withheld.`,
      remedy: 'See why that delete is withheld; this one follows by itself.',
    };
  }
  const needs = change.dependsOn.filter((need) => missing.has(need)).join(', ');
  return {
    code: 'dependency',
    because: `${change.key} needs ${needs}, which is withheld.`,
    remedy: `See why ${needs} is withheld; this one follows by itself.`,
  };
}

function recordsOf(decisions: readonly Decision[]): LedgerRecord[] {
  return decisions.flatMap((one) => (one.record === undefined ? [] : [one.record]));
}

/** Once the platform has been looked at whole, it is known what became of every open intent. */
function settledIntents(input: PlanInput, context: DecideContext): LedgerRecord[] {
  return input.ledger.intents
    .filter((intent) => {
      const kind = intent.key.slice(0, intent.key.indexOf('/')) as Kind;
      return input.matches.of.get(intent.key)?.observed !== undefined || context.provesAbsence(kind);
    })
    .map((intent) => ({ record: 'settled', intent: intent.id }));
}
