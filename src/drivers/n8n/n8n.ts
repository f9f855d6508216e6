import type { Outputs } from '../../manifest/output-reference.ts';
import type { JsonObject, Kind } from '../../manifest/manifest.ts';
import type { RemoteObject } from '../../plan/types.ts';
import type { Connection, Driver, Execution, ExecutionPage, Facts, Listed, Look, Outcome } from '../driver.ts';
import type { Refusal, Step, Trial, TriggerRequest, Triggered } from '../driver.ts';
import { N8nApi } from './api.ts';
import { BEST } from './capabilities.ts';
import { tryCredential } from './credential-trial.ts';
import { executionOf, executionsSince } from './executions.ts';
import { exported } from './export.ts';
import { n8nFormat } from './format.ts';
import { normalize } from './normalize.ts';
import { observe } from './observe.ts';
import { OUTPUTS, outputsOf } from './outputs.ts';
import { preflight } from './preflight.ts';
import { probe } from './probe.ts';
import { trigger } from './trigger.ts';
import { write } from './write.ts';

/** An n8n, by its public API; written for the free edition. */
export class N8nDriver implements Driver {
  readonly name = 'n8n';
  readonly format = n8nFormat;
  readonly capabilities = BEST;
  readonly marks: readonly Kind[] = ['Workflow'];
  /** Of a credential n8n shows its name and its type. */
  readonly writeOnly = { Integration: ['/settings'] };
  readonly targeted = true;
  readonly outputs = OUTPUTS;
  readonly #connection: Connection;
  readonly #api: N8nApi;

  constructor(connection: Connection) {
    this.#connection = connection;
    this.#api = new N8nApi(connection);
  }

  probe(signal: AbortSignal): Promise<Facts> {
    return probe(this.#api, signal);
  }

  observe(look: Look, signal: AbortSignal): AsyncGenerator<RemoteObject | Listed> {
    return observe(look, this.#api, signal);
  }

  normalize(kind: Kind, spec: JsonObject): JsonObject {
    return normalize(kind, spec);
  }

  async outputsOf(kind: Kind, content: JsonObject): Promise<Outputs> {
    return outputsOf(kind, content, this.#connection);
  }

  preflight(steps: readonly Step[], signal: AbortSignal): Promise<readonly Refusal[]> {
    return preflight(steps, this.#api, signal);
  }

  apply(stage: readonly Step[], signal: AbortSignal): AsyncGenerator<Outcome> {
    return write(stage, this.#api, signal);
  }

  executions(cursor: string | undefined, signal: AbortSignal): Promise<ExecutionPage> {
    return executionsSince(cursor, this.#api, signal);
  }

  execution(id: string, signal: AbortSignal): Promise<Execution | undefined> {
    return executionOf(id, this.#api, signal);
  }

  trigger(request: TriggerRequest, signal: AbortSignal): Promise<Triggered> {
    return trigger(request, this.#api, signal);
  }

  tryConnection(remote: string, signal: AbortSignal): Promise<Trial | undefined> {
    return tryCredential(remote, this.#api, signal);
  }

  toManifest(object: RemoteObject): ReturnType<NonNullable<Driver['toManifest']>> {
    return exported(object);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#api[Symbol.asyncDispose]();
  }
}
