import { ReconcilerError } from '../../errors.ts';
import type { TriggerRequest, Triggered } from '../driver.ts';

import type { Hello } from './addon-client.ts';
import type { AddonRuns, Announcement } from './addon-runs.ts';
import type { NodeRedClient, Snapshot } from './client.ts';
import { type Entry, entryOf, injection, nameOf, notTriggerable } from './entries.ts';
import { addressOf, endpointUrl, isAdminPath, rivalOf } from './entry-url.ts';
import type { FlowAnswer, FlowCaller } from './flow-call.ts';
import { missingTypes } from './observe.ts';
import { textOf, titleOf } from './raw.ts';

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** What the add-on knows of a run: the execution; `none` that has begun; undefined when it cannot tell. */
type Begun = { readonly execution: string } | 'none' | undefined;

interface Parts {
  /** Base URL of the admin API. */
  readonly url: string;
  readonly client: NodeRedClient;
  readonly runs: AddonRuns;
  readonly calls: FlowCaller;
  /** What the add-on says of itself; undefined without it. */
  readonly hello: (signal: AbortSignal) => Promise<Hello | undefined>;
}

/** One wish, and what is known when it is carried out. */
interface Wish {
  readonly request: TriggerRequest;
  readonly snapshot: Snapshot;
  readonly hello: Hello | undefined;
  /** How messages name the workflow. */
  readonly what: string;
}

/**
 * Runs a tab once, by a request to its http in node or by its inject node. Every wish reads the flows first, which goes
 * through the limits and the circuit of the admin API: a platform that is down or busy is not sent anything more.
 */
export class Trigger {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** As `Driver.trigger`; also throws `already-triggered` where the add-on knows the correlation. */
  async run(request: TriggerRequest, signal: AbortSignal): Promise<Triggered> {
    const { client } = this.#parts;
    if (!UUID.test(request.correlation)) {
      throw new ReconcilerError('A trigger needs a UUID as its correlation.', 'never', { code: 'bad-correlation' });
    }
    const [snapshot, hello] = await Promise.all([client.flows(signal), this.#parts.hello(signal)]);
    const entry = entryOf(snapshot.set, request, client.name);
    const what = `${nameOf(snapshot.set, request.remote)} on ${client.name}`;
    const wish: Wish = { request, snapshot, hello, what };
    return entry.kind === 'http' ? await this.#call(wish, entry, signal) : await this.#inject(wish, entry, signal);
  }

  async #call(wish: Wish, entry: Entry & { readonly kind: 'http' }, signal: AbortSignal): Promise<Triggered> {
    const { request, what } = wish;
    const url = await this.#urlOf(wish, entry, signal);
    const announced = await this.#announce(wish, entry, signal);
    const call = {
      method: entry.method,
      url,
      what: `${entry.method} ${entry.url} (${what})`,
      text: JSON.stringify(request.input),
      headers: {
        accept: 'application/json',
        'content-type': 'application/json',
        'user-agent': 'plumbline',
        'x-plumbline-correlation': request.correlation,
      },
    };
    const answer = await this.#parts.calls.send(call, signal);
    const begun = announced ? await this.#begun(request.correlation, signal) : undefined;
    if (answer === 'waiting') {
      if (begun === 'none') throw notYet(call.what);
      return begun ?? {};
    }
    await this.#refuseForeign(wish, { entry, answer, begun }, signal);
    const { status, body } = answer;
    return { ...(begun === 'none' ? {} : begun), answer: { status, body } };
  }

  /** An answer that does not come from the flow is no answer. */
  async #refuseForeign(
    wish: Wish,
    { entry, answer, begun }: { entry: Entry & { kind: 'http' }; answer: FlowAnswer; begun: Begun },
    signal: AbortSignal,
  ): Promise<void> {
    const { status, headers, body } = answer;
    if (typeof begun === 'object') return;
    const unsure = begun === undefined;
    const basic = /^basic\b/i.test(String(headers['www-authenticate'] ?? ''));
    if (status === 401 ? basic || !unsure : status === 403 && !unsure) {
      throw new ReconcilerError(
        `${wish.what} was not run: something before it asks for a login (${status}).`,
        'never',
        {
          code: 'unauthorized',
          remedy:
            'Plumbline does not log in to endpoints of flows (httpNodeAuth in settings.js): name an inject node as entry, or exempt this endpoint.',
        },
      );
    }
    // What Express says when no route matches; a flow has its own words for "not found".
    const noRoute = typeof body === 'string' && body.includes(`<pre>Cannot ${entry.method} `);
    if (status === 404 && (noRoute || !unsure)) {
      throw await this.#notLive(wish, `nothing answers ${entry.method} ${entry.url} there (404)`, signal);
    }
    if (unsure) return;
    throw new ReconcilerError(
      `${wish.what} was not run: something before it answered ${entry.method} ${entry.url} with ${status}.`,
      'never',
      {
        code: 'refused',
        remedy:
          'Look at httpNodeMiddleware in settings.js, apiMaxLength (the largest input), and proxies before Node-RED.',
      },
    );
  }

  async #inject(wish: Wish, { node }: Entry, signal: AbortSignal): Promise<Triggered> {
    const { request } = wish;
    const announced = await this.#announce(wish, { node }, signal);
    const message = injection(node, request.input, request.correlation);
    const answer = await this.#parts.client.inject(node.id, message, signal).catch((error: unknown) => {
      throw neverAgain(error);
    });
    if (answer.status === 404) throw await this.#notLive(wish, 'its inject node is not running there', signal);
    if (answer.status === 413) throw tooLarge(wish.what);
    const begun = announced ? await this.#begun(request.correlation, signal) : undefined;
    return typeof begun === 'object' ? begun : {};
  }

  async #urlOf(
    { request, snapshot, hello, what }: Wish,
    entry: Entry & { kind: 'http' },
    signal: AbortSignal,
  ): Promise<URL> {
    const { client } = this.#parts;
    if (typeof request.input !== 'object' || request.input === null) {
      const remedy = 'Send an object, or name an inject node as entry.';
      throw notTriggerable(what, 'its http in node takes only objects and lists as JSON', remedy);
    }
    const address = addressOf(entry.url, request.input);
    if ('because' in address) throw notTriggerable(what, address.because, address.remedy);
    const root = hello?.httpNodeRoot ?? (await client.settings(signal)).httpNodeRoot ?? '/';
    if (root === false) {
      const remedy = 'Set httpNodeRoot there and restart Node-RED, or name an inject node as entry.';
      throw notTriggerable(what, 'httpNodeRoot is false in settings.js, so its endpoints are not served', remedy);
    }
    const admin = new URL(this.#parts.url).pathname.replace(/\/+$/, '');
    const roots = { httpNodeRoot: root, httpAdminRoot: hello?.httpAdminRoot };
    const url = endpointUrl(this.#parts.url, roots, address.path);
    if (isAdminPath(url.pathname, admin)) {
      const remedy = 'Give its http in node another url.';
      throw notTriggerable(what, `${entry.url} leads to the admin API of Node-RED, not to the flow`, remedy);
    }
    const rival = rivalOf(snapshot.set, entry.node, address.path);
    if (rival === undefined) return url;
    const other = nameOf(snapshot.set, textOf(rival, 'z') ?? '');
    const because = `${entry.method} ${entry.url} is also served by the node "${titleOf(rival)}" of ${other.replace('The', 'the')}`;
    throw notTriggerable(what, because, 'Give one of the two http in nodes another url.');
  }

  /** Whether the add-on will recognise the run. */
  async #announce({ request, hello }: Wish, { node }: Pick<Entry, 'node'>, signal: AbortSignal): Promise<boolean> {
    if (hello === undefined) return false;
    const { correlation, remote } = request;
    const announcement: Announcement = { correlation, workflow: remote, entry: node.id };
    return await this.#parts.runs.announce(announcement, signal);
  }

  /** Whether the run has begun. It may have been started whatever happens here, so no failure here is told as one. */
  async #begun(correlation: string, signal: AbortSignal): Promise<Begun> {
    return await this.#parts.runs.begun(correlation, signal).catch(() => undefined);
  }

  /** Why a node that is deployed does not run. */
  async #notLive({ what, snapshot }: Wish, symptom: string, signal: AbortSignal): Promise<ReconcilerError> {
    const { client } = this.#parts;
    const known = await Promise.all([client.types(signal), client.state(signal)]).catch(() => undefined);
    const [type] = known === undefined ? [] : missingTypes(snapshot, known[0].usable).keys();
    if (type !== undefined) {
      const because = `no flow runs there, because the node type ${type} is not installed (${symptom})`;
      return notTriggerable(what, because, 'Install it, or delete the node that needs it.');
    }
    if (known !== undefined && known[1] !== 'start') {
      return notTriggerable(what, `the flows are not started there (${known[1]}; ${symptom})`, 'Start the flows.');
    }
    return notTriggerable(what, symptom, 'Deploy the flows again, and look into the log of Node-RED.');
  }
}

function notYet(what: string): ReconcilerError {
  return new ReconcilerError(`${what} was sent, and no run has begun so far; whether it will is unknown.`, 'never', {
    code: 'outcome-unknown',
    remedy: 'Look for its execution before you trigger it again; look at httpNodeMiddleware in settings.js.',
  });
}

function tooLarge(what: string): ReconcilerError {
  return new ReconcilerError(`${what} was not run: Node-RED does not take an input of that size (413).`, 'never', {
    code: 'refused',
    remedy: 'Send less, or raise apiMaxLength in its settings.js.',
  });
}

/** A lost answer of a trigger is final: looking at the flows again does not tell whether it ran. */
function neverAgain(error: unknown): unknown {
  if (!(error instanceof ReconcilerError && error.code === 'outcome-unknown')) return error;
  return new ReconcilerError(error.message, 'never', {
    code: 'outcome-unknown',
    cause: error,
    remedy: 'Look for its execution before you trigger it again.',
  });
}
