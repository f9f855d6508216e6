import type { Outputs } from '../../manifest/output-reference.ts';
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
import { FolderWriter, preflightFolders } from './folder-write.ts';
import { Folders } from './folders.ts';
import { directusFormat } from './format.ts';
import { objectId } from './ids.ts';
import { type Licence, licenceOf } from './licence.ts';
import { Login } from './login.ts';
import { observe } from './observe.ts';
import { OUTPUTS, outputsOf } from './outputs.ts';
import { accountOf, probe } from './probe.ts';
import { trigger } from './trigger.ts';

/** Kinds that have a place on a Directus. */
const HELD: readonly Kind[] = ['Application', 'AccessRole', 'AccessGrant', 'Workflow'];

/** A Directus somewhere, by its REST API; changes by its activity websocket where that is on. */
export class DirectusDriver implements Driver {
  readonly name = 'directus';
  readonly capabilities: Capabilities = BEST;
  readonly format = directusFormat;
  readonly marks: readonly Kind[] = ['Workflow', 'AccessRole', 'AccessGrant'];
  readonly targeted = true;
  readonly untimed = true;
  readonly outputs = OUTPUTS;
  readonly #connection: Connection;
  readonly #http: HttpClient;
  readonly #login: Login;
  readonly #client: DirectusClient;
  readonly #folders: Folders;
  readonly #flows: Flows;
  readonly #access: Access;
  readonly #changes: Changes;
  readonly #executions: Executions;

  constructor(connection: Connection) {
    const { platform, url, limits, onRequest, onCircuit, fence } = connection;
    this.#connection = connection;
    this.#http = new HttpClient({
      platform,
      url,
      limits,
      onRequest,
      ...(onCircuit && { onCircuit }),
      ...(fence && { fence }),
    });
    this.#login = new Login(this.#http, connection);
    this.#client = new DirectusClient(this.#http, this.#login);
    this.#folders = new Folders(this.#client);
    this.#flows = new Flows(this.#client, this.#folders);
    this.#access = new Access(this.#client);
    this.#changes = new Changes(this.#client);
    this.#executions = new Executions(this.#client);
  }

  async probe(signal: AbortSignal): Promise<Facts> {
    return (await probe(this.#client, signal)).facts;
  }

  observe(look: Look, signal: AbortSignal): AsyncGenerator<RemoteObject | Listed> {
    const parts = { flows: this.#flows, folders: this.#folders, access: this.#access, changes: this.#changes };
    return observe(look, parts, signal);
  }

  normalize(kind: Kind, spec: JsonObject): JsonObject {
    if (kind === 'Workflow') return normalizeWorkflow(spec);
    if (kind === 'AccessRole') return normalizeRole(spec);
    return kind === 'AccessGrant' ? normalizeGrant(spec) : spec;
  }

  async outputsOf(kind: Kind, content: JsonObject): Promise<Outputs> {
    return outputsOf(kind, content, this.#connection);
  }

  idFor(owner: Owner, key: Key): string {
    return objectId(owner, key);
  }

  async preflight(steps: readonly Step[], signal: AbortSignal): Promise<readonly Refusal[]> {
    if (steps.length === 0) return [];
    const client = this.#client;
    let asked: Promise<Licence | undefined> | undefined;
    const licence = (): Promise<Licence | undefined> => (asked ??= licenceOf(client, signal));
    const folders = steps.filter(({ change }) => change.kind === 'Application');
    const flows = steps.filter(({ change }) => change.kind === 'Workflow');
    const access = steps.filter(({ change }) => isAccess(change.kind));
    const refusals = [
      ...(await preflightFolders(folders)),
      ...(await preflightFlows(flows, { client, licence, signal })),
    ];
    if (access.length === 0) return refusals;
    const account = accountOf(await client.get('/users/me', { fields: 'id,email' }, signal));
    return [
      ...refusals,
      ...(await preflightAccess(access, { client, access: this.#access, licence: await licence(), account, signal })),
    ];
  }

  async *apply(stage: readonly Step[], signal: AbortSignal): AsyncGenerator<Outcome> {
    const of = (test: (kind: Kind) => boolean): readonly Step[] => stage.filter(({ change }) => test(change.kind));
    const folders = of((kind) => kind === 'Application');
    // A folder is there before what lies in it, and goes after it.
    const [leaving, staying] = [true, false].map((goes) =>
      folders.filter(({ change }) => (change.verb === 'delete') === goes),
    );
    yield* new FolderWriter(this.#client, this.#folders).write(staying ?? [], signal);
    yield* new AccessWriter(this.#client, this.#access).write(of(isAccess), signal);
    yield* new FlowWriter(this.#client, this.#flows, this.#folders).write(
      of((kind) => kind === 'Workflow'),
      signal,
    );
    yield* new FolderWriter(this.#client, this.#folders).write(leaving ?? [], signal);
    for (const { change } of of((kind) => !HELD.includes(kind))) {
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
    const { url, fence } = this.#connection;
    return listen({ url, fence, token: (stop) => this.#login.token(stop), onEvent }, signal);
  }

  toManifest(object: RemoteObject): ReturnType<typeof exported> {
    return exported(object, object.kind === 'AccessRole' ? this.#access.nameOf(object.remote) : undefined);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#http[Symbol.asyncDispose]();
  }
}
