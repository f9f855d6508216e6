import { ReconcilerError } from '../../errors.ts';
import type { JsonObject, Key, Kind } from '../../manifest/manifest.ts';
import type { Capabilities, Owner, RemoteObject } from '../../plan/types.ts';
import type {
  Connection,
  Driver,
  Execution,
  ExecutionPage,
  Facts,
  Listed,
  Look,
  Outcome,
  PlatformEvent,
  Refusal,
  Step,
  TriggerRequest,
  Triggered,
} from '../driver.ts';
import { HttpClient } from '../http.ts';
import { Access, isAccess } from './access.ts';
import { normalizeGrant } from './access-grant.ts';
import { preflightAccess } from './access-preflight.ts';
import { normalizeRole } from './access-role.ts';
import { AccessWriter } from './access-write.ts';
import { BEST } from './capabilities.ts';
import { Changes } from './changes.ts';
import { DirectusClient } from './client.ts';
import { listen } from './events.ts';
import { Executions } from './executions.ts';
import { exported } from './export.ts';
import { preflightFlows } from './flow-preflight.ts';
import { normalizeWorkflow } from './flow-rows.ts';
import { FlowWriter } from './flow-writer.ts';
import { Flows } from './flows.ts';
import { directusFormat } from './format.ts';
import { objectId } from './ids.ts';
import { type Licence, licenceOf } from './licence.ts';
import { Login } from './login.ts';
import { asReconcilerError } from './outcomes.ts';
import { accountOf, probe } from './probe.ts';
import { trigger } from './trigger.ts';

/** A Directus somewhere, by its REST API; changes by its activity websocket where that is on. */
export class DirectusDriver implements Driver {
  readonly name = 'directus';
  readonly capabilities: Capabilities = BEST;
  readonly format = directusFormat;
  readonly marks: readonly Kind[] = ['Workflow', 'AccessRole', 'AccessGrant'];
  readonly targeted = true;
  readonly #connection: Connection;
  readonly #http: HttpClient;
  readonly #login: Login;
  readonly #client: DirectusClient;
  readonly #flows: Flows;
  readonly #access: Access;
  readonly #changes: Changes;
  readonly #executions: Executions;

  constructor(connection: Connection) {
    const { platform, url, limits, onRequest, onCircuit } = connection;
    this.#connection = connection;
    this.#http = new HttpClient({ platform, url, limits, onRequest, ...(onCircuit && { onCircuit }) });
    this.#login = new Login(this.#http, connection);
    this.#client = new DirectusClient(this.#http, this.#login);
    this.#flows = new Flows(this.#client);
    this.#access = new Access(this.#client);
    this.#changes = new Changes(this.#client);
    this.#executions = new Executions(this.#client);
  }

  async probe(signal: AbortSignal): Promise<Facts> {
    return (await probe(this.#client, signal)).facts;
  }

  async *observe(look: Look, signal: AbortSignal): AsyncGenerator<RemoteObject | Listed> {
    const { kinds, only } = look;
    const access = kinds.filter(isAccess);
    const changes = this.#changes;
    await changes.read(signal);
    if (kinds.includes('Workflow')) yield* listing(['Workflow'], this.#flows.observe(only, changes, signal), signal);
    if (access.length > 0)
      yield* listing(access, this.#access.observe(new Set(access), only, { changes, signal }), signal);
    // What Directus has no place for is listed as soon as it is asked for: there is nothing.
    for (const listed of kinds) if (listed !== 'Workflow' && !isAccess(listed)) yield { listed, complete: true };
  }

  normalize(kind: Kind, spec: JsonObject): JsonObject {
    if (kind === 'Workflow') return normalizeWorkflow(spec);
    if (kind === 'AccessRole') return normalizeRole(spec);
    return kind === 'AccessGrant' ? normalizeGrant(spec) : spec;
  }

  idFor(owner: Owner, key: Key): string {
    return objectId(owner, key);
  }

  async preflight(steps: readonly Step[], signal: AbortSignal): Promise<readonly Refusal[]> {
    if (steps.length === 0) return [];
    const client = this.#client;
    const licence: Licence | undefined = await licenceOf(client, signal);
    const flows = steps.filter(({ change }) => change.kind === 'Workflow');
    const access = steps.filter(({ change }) => isAccess(change.kind));
    const refusals = [...(await preflightFlows(flows, { client, licence, signal }))];
    if (access.length === 0) return refusals;
    const account = accountOf(await client.get('/users/me', { fields: 'id,email' }, signal));
    return [
      ...refusals,
      ...(await preflightAccess(access, { client, access: this.#access, licence, account, signal })),
    ];
  }

  async *apply(stage: readonly Step[], signal: AbortSignal): AsyncGenerator<Outcome> {
    const of = (test: (kind: Kind) => boolean): readonly Step[] => stage.filter(({ change }) => test(change.kind));
    yield* new AccessWriter(this.#client, this.#access).write(of(isAccess), signal);
    yield* new FlowWriter(this.#client, this.#flows).write(
      of((kind) => kind === 'Workflow'),
      signal,
    );
    for (const { change } of of((kind) => kind !== 'Workflow' && !isAccess(kind))) {
      const error = new ReconcilerError(`${change.key} has no place on Directus.`, 'never', {
        code: 'unsupported',
        remedy: 'Remove it from what this Sync selects.',
      });
      yield { status: 'failed', change, error };
    }
  }

  async executions(cursor: string | undefined, signal: AbortSignal): Promise<ExecutionPage> {
    return await this.#executions.since(cursor, signal);
  }

  async execution(id: string, signal: AbortSignal): Promise<Execution | undefined> {
    return await this.#executions.one(id, signal);
  }

  async trigger(request: TriggerRequest, signal: AbortSignal): Promise<Triggered> {
    return await trigger(this.#client, request, signal);
  }

  events(onEvent: (event: PlatformEvent) => void, signal: AbortSignal): AsyncDisposable {
    return listen({ url: this.#connection.url, token: (stop) => this.#login.token(stop), onEvent }, signal);
  }

  toManifest(object: RemoteObject): ReturnType<typeof exported> {
    return exported(object);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#http[Symbol.asyncDispose]();
  }
}

/** A listing that broke proves nothing of its kinds; only a platform that is not there at all is an error. */
async function* listing(
  kinds: readonly Kind[],
  objects: Promise<readonly RemoteObject[]>,
  signal: AbortSignal,
): AsyncGenerator<RemoteObject | Listed> {
  try {
    yield* await objects;
    for (const listed of kinds) yield { listed, complete: true };
  } catch (error) {
    const failure = asReconcilerError(error);
    if (failure.code === 'platform-unreachable' || failure.code === 'aborted' || signal.aborted) throw failure;
    for (const listed of kinds) yield { listed, complete: false, because: failure.message };
  }
}
