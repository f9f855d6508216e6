import type { Outputs } from '../../manifest/output-reference.ts';
import type { Capabilities, Owner, RemoteObject } from '../../plan/types.ts';
import type { JsonObject, Key, Kind } from '../../manifest/manifest.ts';
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
import { AccessClient, type AccessKind } from './access.ts';
import { normalizeGrant, normalizeRole } from './access-normalize.ts';
import { AddonClient, type Hello } from './addon-client.ts';
import { AddonRuns, executionOf } from './addon-runs.ts';
import { BEST, narrowed } from './capabilities.ts';
import { NodeRedClient, type Snapshot } from './client.ts';
import { listen } from './events.ts';
import { exported } from './export.ts';
import { FlowCaller } from './flow-call.ts';
import { nodeRedFormat } from './format.ts';
import { Login } from './login.ts';
import type { Work } from './merge.ts';
import { placed } from './layout.ts';
import { normalizeSpec } from './normalize.ts';
import { notesOf } from './notes.ts';
import { type Changes, SecretsSeen, objectsIn, wantedBy } from './observe.ts';
import { OUTPUTS, nodeRootOf, outputsOf, type NodeRoot } from './outputs.ts';
import { preflightFlows } from './preflight.ts';
import { RuntimeWatch } from './runtime.ts';
import { stableId } from './tokens.ts';
import { Trigger } from './trigger.ts';
import { Writer, asReconcilerError } from './writer.ts';

/** Executions read in one request. */
const PAGE = 1_000;

/** A Node-RED somewhere, by its admin API; access and executions by Plumbline's add-on where it is there. */
export class NodeRedDriver implements Driver {
  readonly name = 'node-red';
  readonly capabilities: Capabilities = BEST;
  readonly format = nodeRedFormat;
  /** Config nodes keep only properties their type declares: they are owned by id. */
  readonly marks: readonly Kind[] = ['Application', 'Workflow', 'AccessRole', 'AccessGrant'];
  readonly targeted = true;
  readonly outputs = OUTPUTS;
  readonly #connection: Connection;
  readonly #http: HttpClient;
  readonly #login: Login;
  readonly #client: NodeRedClient;
  readonly #addon: AddonClient;
  readonly #runs: AddonRuns;
  readonly #access: AccessClient;
  readonly #calls: FlowCaller;
  readonly #trigger: Trigger;
  readonly #writer: Writer;
  readonly #secrets = new SecretsSeen();
  /** Undefined until it was asked; `none` without the add-on. */
  #hello: Hello | 'none' | undefined;
  #root: NodeRoot | undefined;
  #last: Snapshot | undefined;

  constructor(connection: Connection) {
    this.#connection = connection;
    const { platform, url, limits, onRequest, onCircuit, fence } = connection;
    this.#http = new HttpClient({
      platform,
      url,
      limits,
      onRequest,
      ...(onCircuit && { onCircuit }),
      ...(fence && { fence }),
    });
    this.#login = new Login(this.#http, connection);
    this.#client = new NodeRedClient(this.#http, this.#login);
    this.#addon = new AddonClient((request) => this.#login.send(request));
    this.#runs = new AddonRuns((request) => this.#login.send(request));
    this.#access = new AccessClient(this.#addon);
    this.#calls = new FlowCaller(limits.timeout, onRequest, fence);
    const hello = (signal: AbortSignal): Promise<Hello | undefined> => this.#helloOnce(signal);
    this.#trigger = new Trigger({ url, client: this.#client, runs: this.#runs, calls: this.#calls, hello });
    this.#writer = new Writer({
      client: this.#client,
      watch: async (signal) => new RuntimeWatch(url, await this.#login.token(signal), fence),
      patience: limits.timeout,
    });
  }

  async probe(signal: AbortSignal): Promise<Facts> {
    const settings = await this.#client.settings(signal);
    const hello = await this.#addon.hello(signal);
    this.#hello = hello ?? 'none';
    this.#root = nodeRootOf(hello, settings);
    const rights = rightsOf(settings.user?.permissions);
    const account = hello?.account ?? settings.user?.username;
    return {
      version: settings.version,
      rights,
      capabilities: narrowed(rights, hello),
      notes: await notesOf(this.#client, hello, signal),
      ...(hello === undefined ? {} : { instance: hello.instance }),
      ...(account === undefined ? {} : { account }),
    };
  }

  async *observe(look: Look, signal: AbortSignal): AsyncGenerator<RemoteObject | Listed> {
    const flowKinds = look.kinds.filter((kind) => !isAccess(kind));
    const access = look.kinds.filter(isAccess);
    if (flowKinds.length > 0) yield* listing(flowKinds, this.#observeFlows({ ...look, kinds: flowKinds }, signal));
    if (access.length > 0) yield* listing(access, this.#observeAccess(look, access, signal));
  }

  async *#observeFlows(look: Look, signal: AbortSignal): AsyncGenerator<RemoteObject | Listed> {
    const snapshot = await this.#client.flows(signal);
    this.#last = snapshot;
    const integrations: RemoteObject[] = [];
    for (const object of objectsIn(snapshot, look, await this.#changes(signal))) {
      if (object.kind === 'Integration') integrations.push(object);
      else yield object;
    }
    yield* await this.#secrets.add(integrations, { client: this.#client, snapshot }, signal);
    for (const listed of look.kinds) yield { listed, complete: true };
  }

  async *#observeAccess(
    look: Look,
    kinds: readonly AccessKind[],
    signal: AbortSignal,
  ): AsyncGenerator<RemoteObject | Listed> {
    const wanted = wantedBy(look);
    for await (const item of this.#access.observe(kinds, signal))
      if ('listed' in item || wanted(item.remote, item.title)) yield item;
  }

  normalize(kind: Kind, spec: JsonObject): JsonObject {
    if (kind === 'AccessRole') return normalizeRole(spec);
    if (kind === 'AccessGrant') return normalizeGrant(spec);
    const { definition } = spec;
    return normalizeSpec(kind, definition === undefined ? spec : { ...spec, definition: placed(definition) });
  }

  async outputsOf(kind: Kind, content: JsonObject, signal: AbortSignal): Promise<Outputs> {
    return outputsOf(kind, content, { connection: this.#connection, rootOf: () => this.#rootOnce(signal) });
  }

  idFor(owner: Owner, key: Key): string {
    return stableId(owner, key);
  }

  async preflight(steps: readonly Step[], signal: AbortSignal): Promise<readonly Refusal[]> {
    const flows = steps.filter(({ change }) => !isAccess(change.kind));
    const refusals = [
      ...(await this.#access.preflight(
        steps.filter(({ change }) => isAccess(change.kind)),
        signal,
      )),
    ];
    if (flows.length === 0) return refusals;
    const [snapshot, types] = await Promise.all([this.#last ?? this.#client.flows(signal), this.#client.types(signal)]);
    return [...refusals, ...(await preflightFlows(flows, { snapshot, types }))];
  }

  async *apply(stage: readonly Step[], signal: AbortSignal): AsyncGenerator<Outcome> {
    const access = stage.filter(({ change }) => isAccess(change.kind));
    yield* await this.#access.apply(access, signal);
    const works: Work[] = [];
    for (const step of stage) {
      if (isAccess(step.change.kind)) continue;
      try {
        works.push(await this.#workOf(step));
      } catch (error) {
        yield { status: 'failed', change: step.change, error: asReconcilerError(error) };
      }
    }
    const base = this.#last;
    // The next stage is made for what this one leaves.
    this.#last = undefined;
    for (const { id } of works) this.#secrets.forget(id);
    yield* await this.#writer.write(works, base, signal);
  }

  async executions(cursor: string | undefined, signal: AbortSignal): Promise<ExecutionPage> {
    if (!(await this.#hasAddon(signal))) return { executions: [], cursor: cursor ?? '' };
    const page = await this.#runs.executions(cursor === '' ? undefined : cursor, PAGE, signal);
    // What was dropped before anybody asked for the first time is nobody's loss.
    const lost = (cursor ?? '') === '' ? 0 : page.lost;
    const more = page.executions.length >= PAGE;
    const executions = page.executions.map(executionOf);
    return { executions, cursor: page.next, lost, more, ...(page.restarted ? { gap: true } : {}) };
  }

  async execution(id: string, signal: AbortSignal): Promise<Execution | undefined> {
    return (await this.#hasAddon(signal)) ? await this.#runs.execution(id, signal) : undefined;
  }

  async trigger(request: TriggerRequest, signal: AbortSignal): Promise<Triggered> {
    return await this.#trigger.run(request, signal);
  }

  events(onEvent: (event: PlatformEvent) => void, signal: AbortSignal): AsyncDisposable {
    const { url, fence } = this.#connection;
    return listen({ url, fence, token: (stop) => this.#login.token(stop), onEvent }, signal);
  }

  toManifest(object: RemoteObject): ReturnType<typeof exported> {
    return exported(object, this.#last);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#calls[Symbol.dispose]();
    await this.#login[Symbol.asyncDispose]();
    await this.#http[Symbol.asyncDispose]();
  }

  async #workOf(step: Step): Promise<Work> {
    const { change, owner, marker } = step;
    const id = change.verb === 'create' ? this.idFor(owner, change.key) : change.remote.id;
    if (change.verb === 'release' || change.verb === 'delete') return { change, id };
    const secrets = Object.fromEntries(
      Object.entries(await step.secrets()).map(([name, value]) => [name, value.reveal()]),
    );
    const spec = this.normalize(change.kind, await step.desired());
    const wanted = { id, spec: { title: change.title, ...spec }, secrets, ...(marker === undefined ? {} : { marker }) };
    return { change, id, wanted };
  }

  async #changes(signal: AbortSignal): Promise<Changes> {
    return (await this.#hasAddon(signal)) ? await this.#addon.changes(signal) : {};
  }

  async #hasAddon(signal: AbortSignal): Promise<boolean> {
    return (await this.#helloOnce(signal)) !== undefined;
  }

  async #rootOnce(signal: AbortSignal): Promise<NodeRoot> {
    this.#root ??= nodeRootOf(await this.#helloOnce(signal), await this.#client.settings(signal));
    return this.#root;
  }

  async #helloOnce(signal: AbortSignal): Promise<Hello | undefined> {
    this.#hello ??= (await this.#addon.hello(signal)) ?? 'none';
    return this.#hello === 'none' ? undefined : this.#hello;
  }
}

/** A listing that broke half-way proves nothing of its kinds; only a platform that is not there at all is an error. */
async function* listing(
  kinds: readonly Kind[],
  objects: AsyncIterable<RemoteObject | Listed>,
): AsyncGenerator<RemoteObject | Listed> {
  try {
    yield* objects;
  } catch (error) {
    const failure = asReconcilerError(error);
    if (failure.code === 'platform-unreachable' || failure.code === 'aborted') throw failure;
    for (const listed of kinds) yield { listed, complete: false, because: failure.message };
  }
}

function isAccess(kind: Kind): kind is AccessKind {
  return kind === 'AccessRole' || kind === 'AccessGrant';
}

function rightsOf(permissions: unknown): readonly string[] {
  if (Array.isArray(permissions)) return permissions.map(String).toSorted();
  return [typeof permissions === 'string' && permissions !== '' ? permissions : '*'];
}
