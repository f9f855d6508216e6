import { ReconcilerError } from '../../../src/errors.ts';
import type { Kind } from '../../../src/manifest/manifest.ts';
import type { Owner } from '../../../src/plan/types.ts';
import type { MintApi } from './api.ts';
import { collectionOf, markerIn, referenceName } from './normal-form.ts';
import type { Ids, Names, Shown } from './normal-form.ts';

/** Kinds that objects of a kind refer to. */
const NEEDS: Readonly<Record<Kind, readonly Kind[]>> = {
  Application: [],
  AccessRole: [],
  Integration: [],
  Workflow: ['Application', 'Integration'],
  AccessGrant: ['AccessRole', 'Application', 'Workflow'],
  Webhook: [],
  ServiceLevel: [],
};

interface Named {
  readonly id: string;
  readonly name: string;
  readonly owner: Owner | undefined;
}

/** Who is called what on the platform, as of one look at it. */
export class References implements Names {
  readonly #known = new Map<Kind, Named[]>();
  readonly #broken = new Map<Kind, string>();

  /** Lists the kinds that `kind` refers to, unless they were listed already. */
  async loadFor(kind: Kind, api: MintApi, signal: AbortSignal): Promise<void> {
    for (const need of NEEDS[kind]) {
      if (this.#known.has(need)) continue;
      try {
        for await (const shown of api.list(collectionOf(need), undefined, signal)) this.learn(need, shown);
        this.learn(need);
      } catch (error) {
        if (!(error instanceof ReconcilerError) || signal.aborted) throw error;
        this.broke(need, error.message);
      }
    }
  }

  learn(kind: Kind, shown?: Shown): void {
    const known = this.#known.get(kind) ?? [];
    this.#known.set(kind, known);
    if (shown !== undefined) {
      known.push({ id: shown.id, name: referenceName(kind, shown), owner: markerIn(shown.tag)?.owner });
    }
  }

  /** A listing of the kind did not come to its end: nobody can tell any more what refers to it. */
  broke(kind: Kind, because: string): void {
    this.learn(kind);
    this.#broken.set(kind, because);
  }

  /** Why references of `kind` cannot be told; undefined when they can. */
  brokenFor(kind: Kind): string | undefined {
    return NEEDS[kind].map((need) => this.#broken.get(need)).find((because) => because !== undefined);
  }

  nameOf(kind: Kind, id: string): string | undefined {
    return this.#known.get(kind)?.find((one) => one.id === id)?.name;
  }

  /** How an owner's manifests resolve: its own object first (the oldest, where people made copies), else the only one of that name. */
  idsFor(owner: Owner): Ids {
    return {
      idOf: (kind, name) => {
        const called = (this.#known.get(kind) ?? []).filter((one) => one.name === name);
        const own = called.find((one) => one.owner === owner);
        const [found] = own === undefined ? called : [own];
        if (found !== undefined && (own !== undefined || called.length === 1)) return found.id;
        throw new ReconcilerError(
          found === undefined
            ? `There is no ${kind} "${name}" on the platform.`
            : `${called.length} objects on the platform are called ${kind} "${name}".`,
          'replan',
          {
            code: 'unresolved-reference',
            remedy: found === undefined ? 'Create it first.' : 'Rename all but the one that is meant.',
          },
        );
      },
    };
  }
}
