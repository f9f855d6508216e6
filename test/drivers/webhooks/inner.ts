import type { Driver, Facts, Look, Step } from '../../../src/drivers/driver.ts';
import type { JsonObject, Key } from '../../../src/manifest/manifest.ts';
import type { Capabilities } from '../../../src/plan/types.ts';
import { capabilitiesWith } from '../../plan/scene.ts';
import type { Sample } from '../contract-harness.ts';

/** A platform without webhooks. */
const NONE: Capabilities = capabilitiesWith({ Webhook: { unsupported: 'it has none' } });
export const FACTS: Facts = { version: '1', rights: ['all'], account: 'me', capabilities: NONE, notes: ['a note'] };

/** A driver that says what it was asked; methods read `this`, so that one called without it fails. */
export class Inner implements Driver {
  readonly name = 'inner';
  readonly marks = ['Workflow'] as const;
  readonly targeted = true;
  readonly capabilities: Capabilities;
  readonly asked: string[] = [];
  /** Keys or kinds it was asked about. */
  readonly about: string[] = [];

  constructor(capabilities: Capabilities = NONE) {
    this.capabilities = capabilities;
  }
  async probe(): Promise<Facts> {
    this.asked.push('probe');
    return { ...FACTS, capabilities: this.capabilities };
  }
  async *observe({ kinds }: Look) {
    this.asked.push('observe');
    this.about.push(...kinds);
    for (const listed of kinds) yield { listed, complete: true };
  }
  normalize(kind: string, spec: JsonObject): JsonObject {
    this.asked.push(`normalize ${kind}`);
    return { ...spec, normalized: true };
  }
  async *apply(stage: readonly Step[]) {
    this.asked.push('apply');
    for (const { change } of stage) {
      this.about.push(change.key);
      yield { status: 'applied', change } as const;
    }
  }
  async [Symbol.asyncDispose](): Promise<void> {
    this.asked.push('dispose');
  }
}

/** One that has every method a driver may have. */
export class Able extends Inner {
  readonly format = { name: 'able' } as unknown as NonNullable<Driver['format']>;
  idFor(_owner: string, key: Key): string {
    this.asked.push('idFor');
    return `id of ${key}`;
  }
  async preflight(steps: readonly Step[]) {
    this.asked.push('preflight');
    return steps.map(({ change }) => ({ key: change.key, because: 'no', remedy: 'none' }));
  }
  async executions(cursor: string | undefined) {
    this.asked.push(`executions ${cursor}`);
    return { executions: [], cursor: 'next' };
  }
  async execution(id: string) {
    this.asked.push(`execution ${id}`);
    return undefined;
  }
  async trigger({ remote }: { readonly remote: string }) {
    this.asked.push(`trigger ${remote}`);
    return { execution: 'e1' };
  }
  events(): AsyncDisposable {
    this.asked.push('events');
    return { [Symbol.asyncDispose]: async () => undefined };
  }
  toManifest({ title }: { readonly title: string }) {
    this.asked.push('toManifest');
    return { name: `inner ${title}`, spec: {} };
  }
}

/** A Webhook as the contract's steps take it. */
export function hook(spec: JsonObject = {}, secrets: Readonly<Record<string, string>> = {}): Sample {
  const signed = secrets['secret'] !== undefined;
  const whole = { title: 'Hook', event: 'order.created', url: 'https://a.example/', active: true, signed, ...spec };
  return {
    key: 'Webhook/hook',
    kind: 'Webhook',
    title: 'Hook',
    spec: whole,
    changed: whole,
    dependsOn: [],
    secrets,
    open: [],
  };
}
