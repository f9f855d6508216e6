import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { HttpClient } from '../../../src/drivers/http.ts';
import type { Driver, Execution, TriggerRequest, Triggered } from '../../../src/drivers/driver.ts';
import { ReconcilerError } from '../../../src/errors.ts';
import type { JsonObject, JsonValue } from '../../../src/manifest/manifest.ts';

/** A run as the platform has it, with the very bytes of the body that asked for it. */
export interface StartedRun {
  readonly execution: Execution;
  readonly text: string;
}

/** Runs workflows when asked to, over HTTP, and does on demand what platforms do wrong. */
export class RunnerServer implements AsyncDisposable {
  readonly runs: StartedRun[] = [];
  /** Requests of any kind. */
  requests = 0;
  /** `lose`: runs it and answers nothing; `hold`: answers when `release` is called; `refuse`: has nothing that could start it. */
  mode: 'answer' | 'lose' | 'hold' | 'refuse' | 'gone' | 'busy' = 'answer';
  /** What a workflow answers. */
  says: JsonValue | undefined;
  /** Whether it tells the id of a run at once. */
  tells = true;
  release: () => void = () => undefined;
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((request, response) => {
      this.#serve(request, response).catch(() => response.destroy());
    });
  }

  static async start(): Promise<RunnerServer> {
    const runner = new RunnerServer();
    await new Promise<void>((resolve) => {
      runner.#server.listen(0, '127.0.0.1', resolve);
    });
    return runner;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Ends a run. */
  end(index: number, status: 'success' | 'error', error?: string): void {
    const run = this.runs[index];
    if (run === undefined) throw new Error('there is no such run');
    const ended = { ...run.execution, status, endedAt: run.execution.startedAt + 1000 };
    this.runs[index] = { ...run, execution: error === undefined ? ended : { ...ended, error } };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    this.requests += 1;
    const send = (status: number, json: unknown): void => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(json));
    };
    if (request.method === 'GET') {
      const id = decodeURIComponent((request.url ?? '').slice('/executions/'.length));
      const found = this.runs.find(({ execution }) => execution.id === id);
      send(found === undefined ? 404 : 200, found?.execution ?? {});
      return;
    }
    if (this.mode === 'refuse' || this.mode === 'gone') return send(this.mode === 'refuse' ? 409 : 404, {});
    if (this.mode === 'busy') return send(503, {});
    const text = Buffer.concat(chunks).toString('utf8');
    const { workflow, correlation } = JSON.parse(text) as { workflow: string; correlation: string };
    const id = `run-${this.runs.length + 1}`;
    this.runs.push({ text, execution: { id, workflow, correlation, status: 'running', startedAt: 1_800_000_000_000 } });
    if (this.mode === 'lose') return void response.destroy();
    if (this.mode === 'hold') {
      await new Promise<void>((resolve) => {
        this.release = resolve;
      });
    }
    send(200, { ...(this.tells ? { id } : {}), ...(this.says === undefined ? {} : { says: this.says }) });
  }
}

/** A driver for it, as far as running goes. */
export class RunnerDriver implements Pick<Driver, 'name' | 'trigger' | 'execution'> {
  readonly name = 'runner';
  readonly #http: HttpClient;

  constructor(url: string) {
    const limits = { concurrency: 8, requestsPerSecond: 1000, timeout: 10_000 };
    this.#http = new HttpClient({ platform: 'runner', url, limits, onRequest: () => undefined });
  }

  async trigger({ remote, input, correlation, entry }: TriggerRequest, signal: AbortSignal): Promise<Triggered> {
    const body = { workflow: remote, correlation, input, ...(entry === undefined ? {} : { entry }) };
    const { status, json } = await this.#http.send({
      method: 'POST',
      route: '/runs',
      body,
      accept: [404, 409],
      signal,
    });
    if (status === 404) throw new ReconcilerError('The workflow is not on runner.', 'never', { code: 'not-found' });
    if (status === 409) {
      throw new ReconcilerError('The workflow cannot be run: nothing starts it.', 'never', {
        code: 'not-triggerable',
        remedy: 'Add a start node.',
      });
    }
    const { id, says } = json as JsonObject;
    return {
      ...(typeof id === 'string' ? { execution: id } : {}),
      ...(says === undefined ? {} : { answer: { status: 200, body: says } }),
    };
  }

  async execution(id: string, signal: AbortSignal): Promise<Execution | undefined> {
    const request = { method: 'GET', route: '/executions/:id', params: { id }, accept: [404], signal } as const;
    const { status, json } = await this.#http.send(request);
    return status === 404 ? undefined : (json as unknown as Execution);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#http[Symbol.asyncDispose]();
  }
}
