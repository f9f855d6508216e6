import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import type { Driver } from '../../../src/drivers/driver.ts';
import type { ManifestLoader } from '../../../src/manifest/load.ts';
import type { DefinitionFormat } from '../../../src/manifest/manifest.ts';
import type { PassReport } from '../../../src/report/pass-report.ts';
import type { Terms } from '../../../src/plan/terms.ts';
import { FaultProxy } from '../fault-proxy.ts';
import type { Held, HoldPoint } from '../fault-rules.ts';
import { countsOf, environmentOf, writeRevision } from './changes.ts';
import type { Order } from './child.ts';
import { loaderFor, runPass, stateDirIn, tell } from './pass.ts';
import type { Connect, Terrain, Write } from './terrain.ts';

const CHILD = fileURLToPath(new URL('child.ts', import.meta.url));

/** Where a pass was when it was killed. */
export interface Boundary {
  /** The request, counted from 1. */
  readonly request: number;
  readonly at: HoldPoint;
}

/** A platform in the state before the 50 changes, the manifests of after, and a reference of how it must end. */
export class KillMatrix implements AsyncDisposable {
  readonly #terrain: Terrain;
  readonly #connect: Connect;
  readonly #proxy: FaultProxy;
  readonly #dir: string;
  readonly #before: string;
  readonly #wanted: readonly string[];
  /** Requests of a pass that nobody kills. */
  readonly requests: number;
  readonly #loaders = new Map<string, ManifestLoader>();
  #next: ChildProcess | undefined;

  private constructor(
    parts: { terrain: Terrain; connect: Connect; proxy: FaultProxy; dir: string },
    reference: Reference,
  ) {
    this.#terrain = parts.terrain;
    this.#connect = parts.connect;
    this.#proxy = parts.proxy;
    this.#dir = parts.dir;
    this.#before = reference.before;
    this.#wanted = reference.wanted;
    this.requests = reference.requests;
  }

  static async prepare(terrain: Terrain, connect: Connect): Promise<KillMatrix> {
    const dir = await mkdtemp(join(tmpdir(), 'plumbline-crash-'));
    const proxy = await FaultProxy.start(terrain.url);
    const parts = { terrain, connect, proxy, dir };
    const matrix = new KillMatrix(parts, { before: '', wanted: [], requests: 0 });
    await writeRevision(join(dir, 'before'), 'before', terrain.dialect);
    await writeRevision(join(dir, 'after'), 'after', terrain.dialect);
    expectClean(await matrix.#pass('before', 'base'), 'the pass before');
    const before = await terrain.save();
    await cp(stateDirIn(dir, 'base'), stateDirIn(dir, 'reference'), { recursive: true });
    proxy.forget();
    const report = await matrix.#pass('after', 'reference');
    expectClean(report, 'the pass that nobody kills');
    expect(report.outcomes.length, tell(report)).to.equal(countsOf(terrain.dialect).changes);
    return new KillMatrix(parts, { before, wanted: await terrain.picture(), requests: proxy.requests.length });
  }

  /** Kills a pass at a boundary, and puts it right: once with the ledger it left, once without. False: it ended before. */
  async kill(boundary: Boundary): Promise<boolean> {
    const where = `killed at request ${boundary.request}, ${boundary.at}`;
    await this.#terrain.restore(this.#before);
    await this.#terrain.takeWrites();
    await this.#copyState('base', 'killed');
    if (!(await this.#killed(boundary))) return false;
    const done = await this.#terrain.takeWrites();
    const left = await this.#terrain.save();
    await this.#copyState('killed', 'kept');
    await this.#withLedger(where, done);
    await this.#terrain.restore(left);
    await this.#terrain.takeWrites();
    await this.#withoutLedger(where, done);
    return true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#next?.kill('SIGKILL');
    await this.#proxy[Symbol.asyncDispose]();
    await rm(this.#dir, { recursive: true, force: true });
  }

  async #withLedger(where: string, done: readonly Write[]): Promise<void> {
    const second = await this.#pass('after', 'kept');
    expectClean(second, `${where}, with the ledger: the second pass`);
    const writes = [...done, ...(await this.#terrain.takeWrites())];
    expect(await this.#terrain.picture(), `${where}, with the ledger: the platform`).to.deep.equal(this.#wanted);
    this.#expectFewWrites(writes, `${where}, with the ledger`);
    await this.#expectQuiet('kept', `${where}, with the ledger`);
  }

  /** Law 7: no duplicate, no delete, each secret rewritten at most once, nothing else written. */
  async #withoutLedger(where: string, done: readonly Write[]): Promise<void> {
    await rm(stateDirIn(this.#dir, 'lost'), { recursive: true, force: true });
    const gone = new Set(done.flatMap(({ what, object }) => (what === 'remove' ? [object] : [])));
    await this.#pass('after', 'lost');
    const third = await this.#pass('after', 'lost', { approvals: { adopt: true } });
    expectClean(third, `${where}, without the ledger: the pass with approval`);
    const writes = await this.#terrain.takeWrites();
    const picture = await this.#terrain.picture();
    expect(
      writes.filter(({ what }) => what === 'remove'),
      `${where}, without the ledger: deletes`,
    ).to.deep.equal([]);
    expect(missing(this.#wanted, picture), `${where}, without the ledger: what is missing`).to.deep.equal([]);
    const extra = missing(picture, this.#wanted).map((line) => line.slice(0, line.indexOf(' ', line.indexOf('/') + 1)));
    expect(
      picture.length - this.#wanted.length,
      `${where}, without the ledger: only what git no longer wants is left (${extra.join(', ')})`,
    ).to.equal(countsOf(this.#terrain.dialect).removed - gone.size);
    this.#expectFewWrites([...done, ...writes], `${where}, without the ledger`);
    await this.#expectQuiet('lost', `${where}, without the ledger`);
  }

  /** Each object is made once, and written once; once more where it holds a secret that nobody can read back. */
  #expectFewWrites(writes: readonly Write[], where: string): void {
    const counts = new Map<string, number>();
    for (const { what, object } of writes) {
      const allowance = what === 'change' && this.#terrain.holdsSecrets(object) ? 2 : 1;
      const count = (counts.get(`${what} ${object}`) ?? 0) + 1;
      counts.set(`${what} ${object}`, count);
      expect(count, `${where}: ${what} ${object}, times`).to.be.at.most(allowance);
    }
  }

  async #expectQuiet(state: string, where: string): Promise<void> {
    this.#proxy.forget();
    const quiet = await this.#pass('after', state);
    expect(quiet.result, `${where}: one more pass\n${tell(quiet)}`).to.equal('in-sync');
    expect(await this.#terrain.takeWrites(), `${where}: one more pass writes`).to.deep.equal([]);
    expect(this.#proxy.writes, `${where}: writes sent by one more pass`).to.deep.equal([]);
  }

  async #killed({ request, at }: Boundary): Promise<boolean> {
    const child = this.#next ?? spawn();
    // The next one loads its modules while this one is under way.
    this.#next = spawn();
    const exited = once(child, 'exit');
    let held: Held | undefined;
    this.#proxy.rules.clear();
    this.#proxy.rules.add({
      nth: request,
      action: {
        do: 'hold',
        at,
        tell: (one) => {
          held = one;
          child.kill('SIGKILL');
        },
      },
    });
    const setting = {
      folder: join(this.#dir, 'after'),
      stateDir: stateDirIn(this.#dir, 'killed'),
      environment: environmentOf('after'),
    };
    child.send({ setting, reach: this.#terrain.reach(this.#proxy.url) } satisfies Order);
    await exited;
    held?.drop();
    this.#proxy.rules.clear();
    await this.#proxy.idle();
    return held !== undefined;
  }

  async #pass(revision: 'before' | 'after', state: string, terms: Partial<Terms> = {}): Promise<PassReport> {
    await using driver = this.#connect(this.#terrain.reach(this.#proxy.url));
    const folder = join(this.#dir, revision);
    const loader = this.#loaders.get(revision) ?? loaderFor(formatOf(driver));
    this.#loaders.set(revision, loader);
    const stateDir = stateDirIn(this.#dir, state);
    return await runPass({ folder, stateDir, environment: environmentOf(revision), terms }, driver, loader);
  }

  async #copyState(from: string, to: string): Promise<void> {
    await rm(stateDirIn(this.#dir, to), { recursive: true, force: true });
    await cp(stateDirIn(this.#dir, from), stateDirIn(this.#dir, to), { recursive: true });
  }
}

interface Reference {
  readonly before: string;
  readonly wanted: readonly string[];
  readonly requests: number;
}

function formatOf({ format, name }: Driver): DefinitionFormat {
  if (format === undefined) throw new Error(`the driver ${name} has no format of definitions`);
  return format;
}

function spawn(): ChildProcess {
  return fork(CHILD, { execArgv: ['--disable-warning=ExperimentalWarning'] });
}

function expectClean(report: PassReport, what: string): void {
  const clean = report.result === 'applied' || report.result === 'in-sync';
  expect(clean, `${what} ended well:\n${tell(report)}`).to.equal(true);
}

function missing(wanted: readonly string[], from: readonly string[]): string[] {
  const there = new Set(from);
  return wanted.filter((line) => !there.has(line));
}
