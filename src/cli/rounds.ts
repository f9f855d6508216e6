import type { PassJson } from '../daemon/pass-json.ts';

/** How plans are made, agreed upon and carried out; each as the command line does it. */
export interface Steps {
  /** A new plan for the Sync and Platform of this one. */
  plan(pass: PassJson): Promise<PassJson | undefined>;
  /** Shows plans and asks; whether they may be carried out. */
  agree(plans: readonly PassJson[]): Promise<boolean>;
  /** Carries out what was planned, or says that it does not hold any more. */
  apply(planned: PassJson): Promise<readonly PassJson[]>;
}

/** What was applied, in this order; `last` holds the latest pass of each Sync and Platform. */
export interface Applied {
  readonly passes: readonly PassJson[];
  readonly last: readonly PassJson[];
}

/**
 * Applies plans that were agreed upon, one after the other. What a Sync applies are values that another one may have waited for, and
 * git may go on meanwhile: the plans that this changes are made, shown and agreed upon anew, until nothing follows from anything.
 */
export async function applyInRounds(planned: readonly PassJson[], steps: Steps): Promise<Applied> {
  const done: PassJson[] = [];
  let open = planned;
  // One Sync at least is brought in order by each round: more rounds than Syncs mean that somebody else keeps changing things.
  for (let round = 0; open.length > 0; round++) {
    const results: PassJson[] = [];
    for (const pass of open) results.push(...(pass.error === undefined ? await steps.apply(pass) : [pass]));
    done.push(...results);
    open = await following(latest(done), results, steps);
    if (open.length > 0 && (round === planned.length || !(await steps.agree(open)))) break;
  }
  const last = latest(done);
  return { passes: done.filter((pass) => last.includes(pass) || pass.outcomes.length > 0), last };
}

/** Plans of what became stale before its turn, of what waited for something applied now, and of what may use an output that is another one now. */
async function following(last: readonly PassJson[], results: readonly PassJson[], steps: Steps): Promise<PassJson[]> {
  const moved = results.some(({ outcomes }) => outcomes.some(({ status }) => status === 'applied'));
  const plans: PassJson[] = [];
  for (const pass of last) {
    const isStale = pass.error?.code === 'stale-plan';
    const waited = moved && pass.plan?.withheld.some(({ code }) => code === 'dependency') === true;
    const uses = pass.error === undefined && results.some((other) => other !== pass && changesOutputs(other));
    if (!isStale && !waited && !uses) continue;
    const plan = await steps.plan(pass);
    if (plan !== undefined && (isStale || (plan.plan?.stages.length ?? 0) > 0)) plans.push(plan);
  }
  return plans;
}

function changesOutputs({ plan, outcomes }: PassJson): boolean {
  const changed = (plan?.stages.flat() ?? []).filter((change) => change.changesOutputs === true);
  return changed.some(({ key }) => outcomes.some((outcome) => outcome.key === key && outcome.status === 'applied'));
}

function latest(passes: readonly PassJson[]): readonly PassJson[] {
  return [...new Map(passes.map((pass) => [`${pass.sync}\n${pass.platform}`, pass])).values()];
}
