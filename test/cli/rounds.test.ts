import { expect } from 'chai';
import { applyInRounds } from '../../src/cli/rounds.ts';
import type { Steps } from '../../src/cli/rounds.ts';
import type { PassJson } from '../../src/daemon/pass-json.ts';
import type { Change, Plan, Withheld } from '../../src/plan/types.ts';
import { planOf, want } from '../plan/scene.ts';

interface Says {
  readonly due?: boolean;
  readonly waits?: boolean;
  readonly moves?: boolean;
  readonly applied?: boolean;
  readonly error?: string;
}

/** A pass of a Sync; `due` has a change, `waits` withholds one for another Sync, `moves` changes an output. */
function pass(sync: string, { due, waits, moves, applied, error }: Says = {}): PassJson {
  const whole = planOf({ git: [want('Workflow/a')] });
  const [change] = whole.stages.flat();
  const withheld: Withheld[] = [{ change: change as Change, code: 'dependency', because: '', remedy: '' }];
  const moved = { ...change, ...(moves === true ? { changesOutputs: true } : {}) } as Change;
  const plan: Plan = { ...whole, stages: due === true ? [[moved]] : [], withheld: waits === true ? withheld : [] };
  return {
    sync,
    platform: 'p',
    result: 'applied',
    look: 'full',
    startedAt: 0,
    endedAt: 0,
    problems: [],
    plan,
    outcomes: applied === true ? [{ status: 'applied', key: 'Workflow/a', verb: 'create', cause: 'new' }] : [],
    archived: {},
    ...(error === undefined ? {} : { error: { code: error, message: error, retry: 'never' } }),
  };
}

/** Answers given one after the other, the last one again and again; and what was asked, as `verb sync`. */
class Script implements Steps {
  readonly asked: string[] = [];
  agrees = true;
  readonly #plans: readonly (PassJson | undefined)[];
  readonly #results: Record<string, PassJson[]>;

  constructor(results: Record<string, PassJson[]>, plans: readonly (PassJson | undefined)[] = []) {
    this.#results = results;
    this.#plans = plans;
  }

  async plan({ sync }: PassJson): Promise<PassJson | undefined> {
    this.asked.push(`plan ${sync}`);
    return this.#plans.find((one) => one?.sync === sync);
  }

  async agree(plans: readonly PassJson[]): Promise<boolean> {
    this.asked.push(`agree ${plans.map(({ sync }) => sync).join()}`);
    return this.agrees;
  }

  async apply({ sync }: PassJson): Promise<readonly PassJson[]> {
    this.asked.push(`apply ${sync}`);
    const results = this.#results[sync] ?? [];
    return [(results.length > 1 ? results.shift() : results[0]) ?? pass(sync)];
  }
}

const applied = (sync: string): PassJson => pass(sync, { due: true, applied: true });
const stale = (sync: string): PassJson => pass(sync, { error: 'stale-plan' });
const names = (passes: readonly PassJson[]): readonly string[] =>
  passes.map(({ sync, error, outcomes }) => `${sync} ${error?.code ?? outcomes.length}`);

describe('Plans applied in rounds', () => {
  it('are applied once each where nothing follows from anything, and one that could not be made is told', async () => {
    const script = new Script({ a: [applied('a')], b: [applied('b')] });
    const { passes, last } = await applyInRounds(
      [pass('a', { due: true }), pass('b', { due: true }), pass('c', { error: 'source-read' })],
      script,
    );
    expect(script.asked).to.deep.equal(['apply a', 'apply b']);
    expect([names(passes), names(last)]).to.deep.equal([
      ['a 1', 'b 1', 'c source-read'],
      ['a 1', 'b 1', 'c source-read'],
    ]);
  });

  it('are made, shown and applied anew when they became stale', async () => {
    const script = new Script({ a: [applied('a')], b: [stale('b'), applied('b')] }, [pass('b', { due: true })]);
    const { passes, last } = await applyInRounds([pass('a', { due: true }), pass('b', { waits: true })], script);
    expect(script.asked).to.deep.equal(['apply a', 'apply b', 'plan b', 'agree b', 'apply b']);
    expect(names(passes)).to.deep.equal(['a 1', 'b 1']);
    expect(names(last)).to.deep.equal(['a 1', 'b 1']);
  });

  it('stay as they ended where no other plan may be applied, or nobody agrees to it', async () => {
    const saved = new Script({ b: [stale('b')] }, [undefined]);
    expect(names((await applyInRounds([pass('b')], saved)).last)).to.deep.equal(['b stale-plan']);
    const refused = new Script({ b: [stale('b')] }, [pass('b', { due: true })]);
    refused.agrees = false;
    expect(names((await applyInRounds([pass('b')], refused)).last)).to.deep.equal(['b stale-plan']);
    expect(refused.asked).to.deep.equal(['apply b', 'plan b', 'agree b']);
  });

  it('follow what they waited for, as soon as it was applied', async () => {
    const results = { a: [pass('a', { waits: true }), applied('a')], b: [applied('b')] };
    const script = new Script(results, [pass('a', { due: true })]);
    const { last } = await applyInRounds([pass('a', { waits: true }), pass('b', { due: true })], script);
    expect(script.asked).to.deep.equal(['apply a', 'apply b', 'plan a', 'agree a', 'apply a']);
    expect(names(last)).to.deep.equal(['a 1', 'b 1']);
    const still = new Script({ a: [pass('a', { waits: true })], b: [applied('b')] }, [pass('a', { waits: true })]);
    await applyInRounds([pass('a', { waits: true }), pass('b', { due: true })], still);
    expect(still.asked, 'it waits for something else').to.deep.equal(['apply a', 'apply b', 'plan a']);
    const nothing = new Script({ a: [pass('a', { waits: true })], b: [pass('b')] }, [pass('a', { due: true })]);
    await applyInRounds([pass('a', { waits: true }), pass('b')], nothing);
    expect(nothing.asked, 'nothing was applied').to.deep.equal(['apply a', 'apply b']);
  });

  it('follow an output that is another one now, though they were in order when their turn came', async () => {
    const moved = pass('b', { due: true, moves: true, applied: true });
    const script = new Script({ a: [pass('a'), applied('a')], b: [moved] }, [pass('a', { due: true })]);
    await applyInRounds([pass('a'), pass('b', { due: true, moves: true })], script);
    expect(script.asked).to.deep.equal(['apply a', 'apply b', 'plan a', 'agree a', 'apply a']);
    const failed = { ...moved, outcomes: [{ status: 'failed', key: 'Workflow/a', verb: 'update', cause: 'changed' }] };
    const none = new Script({ a: [pass('a')], b: [failed as PassJson] }, [pass('a', { due: true })]);
    await applyInRounds([pass('a'), pass('b', { due: true, moves: true })], none);
    expect(none.asked).to.deep.equal(['apply a', 'apply b']);
  });

  it('end, also where somebody else keeps changing things', async () => {
    const script = new Script({ a: [stale('a')] }, [pass('a', { due: true })]);
    const { last } = await applyInRounds([pass('a', { due: true })], script);
    expect(names(last)).to.deep.equal(['a stale-plan']);
    expect(script.asked).to.deep.equal(['apply a', 'plan a', 'agree a', 'apply a', 'plan a']);
  });

  it('that were applied in part are told with both passes, and judged by the later one', async () => {
    const part = pass('a', { due: true, waits: true, applied: true });
    const script = new Script({ a: [part, applied('a')] }, [pass('a', { due: true })]);
    const { passes, last } = await applyInRounds([pass('a', { due: true, waits: true })], script);
    expect(passes).to.have.length(2);
    expect(last.map(({ plan }) => plan?.withheld.length)).to.deep.equal([0]);
  });
});
