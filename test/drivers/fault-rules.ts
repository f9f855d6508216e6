/** One request as rules see it. `path` has no query. */
export interface Request {
  /** Position among all requests, from 1. */
  readonly number: number;
  readonly method: string;
  readonly path: string;
}

/** A request that stands still until the test lets it go on, or drops it. */
export interface Held {
  readonly request: Request;
  /** Lets it go on its way. */
  release(): void;
  /** Breaks the client's connection; what has been forwarded stays forwarded. */
  drop(): void;
}

/** Before it is forwarded, after it was forwarded whole, or when the answer is there but not relayed. */
export type HoldPoint = 'before' | 'sent' | 'answer';

/** What befalls a request. "before" leaves the platform untouched; "after" means that the effect happened. */
export type Action =
  /** Answered so; `late` means that the effect happens before. */
  | {
      readonly do: 'status';
      readonly code: number;
      readonly retryAfter?: number;
      readonly body?: string;
      readonly late?: true;
    }
  | { readonly do: 'reset'; readonly when: 'before' | 'after' }
  /** The effect happens; the answer ends in the middle of its body. */
  | { readonly do: 'truncate' }
  /** Never answered; `before` leaves the platform untouched. */
  | { readonly do: 'stall'; readonly when: 'before' | 'after' }
  | { readonly do: 'delay'; readonly milliseconds: number }
  /** Answered with success, without any effect (only a server can lie like this; a proxy injects a status instead). */
  | { readonly do: 'pretend' }
  /** A listing's page comes without its items, and says nothing of it (server only). */
  | { readonly do: 'lose-items' }
  | { readonly do: 'hold'; readonly at: HoldPoint; tell(held: Held): void };

/** Which requests, and what befalls them. */
export interface Rule {
  readonly method?: string;
  readonly path?: RegExp;
  /** Only what is no read. */
  readonly writes?: true;
  /** Only from the nth request on that matches method and path, counted from 1 (default 1). */
  readonly nth?: number;
  /** How often it strikes (default: once). */
  readonly times?: number;
  /** Only this part of what matches, 0 to 1, chosen by a generator that `seed` starts: the same in every run. */
  readonly share?: number;
  readonly seed?: number;
  /** What befalls it; of several, one after the other. */
  readonly action?: Action | undefined;
  readonly actions?: readonly Action[];
}

interface Armed {
  readonly rule: Rule;
  readonly chance: () => number;
  seen: number;
  struck: number;
}

/** The rules in force at one server or proxy. The first rule that strikes decides; every rule counts every match. */
export class FaultRules {
  readonly #armed: Armed[] = [];

  add(...rules: readonly Rule[]): void {
    this.#armed.push(...rules.map((rule) => ({ rule, chance: generator(rule.seed ?? 1), seen: 0, struck: 0 })));
  }

  clear(): void {
    this.#armed.length = 0;
  }

  /** How many requests were struck by rules that are still in force. */
  get struck(): number {
    return this.#armed.reduce((sum, armed) => sum + armed.struck, 0);
  }

  strike(request: Request): Action | undefined {
    let action: Action | undefined;
    for (const armed of this.#armed) {
      if (!matches(armed.rule, request)) continue;
      armed.seen += 1;
      if (action !== undefined) continue;
      if (armed.seen < (armed.rule.nth ?? 1) || armed.struck >= (armed.rule.times ?? 1)) continue;
      if (armed.chance() >= (armed.rule.share ?? 1)) continue;
      const { actions = [] } = armed.rule;
      action = armed.rule.action ?? actions[armed.struck % actions.length];
      armed.struck += 1;
    }
    return action;
  }
}

function matches(rule: Rule, request: Request): boolean {
  if (rule.writes === true && isRead(request)) return false;
  return (rule.method ?? request.method) === request.method && (rule.path?.test(request.path) ?? true);
}

export function isRead({ method }: Request): boolean {
  return method === 'GET' || method === 'HEAD';
}

/** Numbers from 0 to 1 that look random (a linear congruential generator). */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
