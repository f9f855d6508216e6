import { createHash } from 'node:crypto';
import type { KubeClient } from './client.ts';
import { digest, ownLabels, ownScope } from './installation.ts';
import type { InstallationPlace } from './installation.ts';
import { apiVersionOf } from './object.ts';
import type { KubeObject, Resource } from './object.ts';

/** Of the Prometheus operator. */
const PROMETHEUS_RULES: Resource = {
  group: 'monitoring.coreos.com',
  version: 'v1',
  kind: 'PrometheusRule',
  plural: 'prometheusrules',
  namespaced: true,
};

/** Marks the objects that are made here. */
const SERVICE_LEVEL_RULES = 'plumbline.dev/service-level-rules';
/** One annotation for each platform that needs the object; its value tells what it was made of. */
const WANTED = 'wanted.plumbline.dev/';
/** Milliseconds. */
const TIMEOUT = 15_000;

/** An object as it was found: what it is about, and who needs it. */
export interface FoundRules {
  readonly about: string;
  readonly name: string;
  readonly version: string;
  /** What it was made of, by the word for a platform (`wordOf`). */
  readonly wanted: ReadonlyMap<string, string>;
  readonly spec: unknown;
}

/**
 * PrometheusRules that several replicas keep together: each of them applies the whole object for each platform that it holds and that
 * needs it, under a field manager of the platform's own. What the last of them takes back is deleted. Methods throw ReconcilerErrors
 * as those of `KubeClient`.
 */
export class RuleStore {
  readonly #client: KubeClient;
  readonly #place: InstallationPlace;
  /** The PrometheusRule that they stand beside: they have its labels and go with it. */
  readonly #beside: string;

  constructor(client: KubeClient, place: InstallationPlace, beside: string) {
    this.#client = client;
    this.#place = place;
    this.#beside = beside;
  }

  /** What stands for a platform in annotations, which allow less than names do. */
  static wordOf(platform: string): string {
    return digest(platform);
  }

  async list(signal: AbortSignal): Promise<readonly FoundRules[]> {
    const { namespace, labelSelector } = ownScope(this.#place);
    const scope = { namespace, labelSelector: `${labelSelector},${SERVICE_LEVEL_RULES}` };
    const { items } = await this.#client.list(PROMETHEUS_RULES, { ...scope, ...called(signal) });
    return items.map(({ spec, metadata: { name, resourceVersion = '', labels = {}, annotations = {} } }) => ({
      about: labels[SERVICE_LEVEL_RULES] ?? '',
      name,
      version: resourceVersion,
      spec,
      wanted: new Map(
        Object.entries(annotations).flatMap(([key, made]) =>
          key.startsWith(WANTED) ? [[key.slice(WANTED.length), made] as const] : [],
        ),
      ),
    }));
  }

  /** The object that they stand beside; undefined when there is none. */
  async owner(signal: AbortSignal): Promise<KubeObject | undefined> {
    const { namespace } = this.#place;
    return this.#client.find(PROMETHEUS_RULES, { namespace, name: this.#beside }, called(signal));
  }

  /** The object about something, as it is to be, and what tells it from another one. */
  make(
    about: string,
    groups: readonly unknown[],
    owner: KubeObject,
  ): { readonly object: KubeObject; readonly made: string } {
    const { namespace } = this.#place;
    const { name, uid = '', labels = {} } = owner.metadata;
    const object: KubeObject = {
      apiVersion: apiVersionOf(PROMETHEUS_RULES),
      kind: PROMETHEUS_RULES.kind,
      metadata: {
        name: `${name}-service-levels-${about}`,
        namespace,
        labels: {
          ...labels,
          ...ownLabels(this.#place),
          [SERVICE_LEVEL_RULES]: about,
        },
        ownerReferences: [{ apiVersion: owner.apiVersion, kind: owner.kind, name, uid }],
      },
      spec: { groups },
    };
    return { object, made: createHash('sha256').update(JSON.stringify(object)).digest('hex').slice(0, 32) };
  }

  /** Applies it for a platform. */
  async want(word: string, { object, made }: { object: KubeObject; made: string }, signal: AbortSignal): Promise<void> {
    const metadata = { ...object.metadata, annotations: { [WANTED + word]: made } };
    await this.#apply(word, { ...object, metadata }, signal);
  }

  /** A platform needs it no more. What nobody needs is deleted, unless somebody has come to need it since it was found. */
  async release(word: string, { name, version, wanted }: FoundRules, signal: AbortSignal): Promise<void> {
    const { namespace } = this.#place;
    if ([...wanted.keys()].some((other) => other !== word)) {
      const { kind } = PROMETHEUS_RULES;
      await this.#apply(
        word,
        { apiVersion: apiVersionOf(PROMETHEUS_RULES), kind, metadata: { name, namespace } },
        signal,
      );
      return;
    }
    await this.#client.delete(PROMETHEUS_RULES, { namespace, name, resourceVersion: version }, called(signal));
  }

  async #apply(word: string, object: KubeObject, signal: AbortSignal): Promise<void> {
    await this.#client.apply(PROMETHEUS_RULES, object, { ...called(signal), manager: `plumbline-${word}` });
  }
}

function called(signal: AbortSignal) {
  return { signal, timeout: TIMEOUT };
}
