import type { Marker } from '../plan/types.ts';
import type { SecretValue } from '../secrets/secrets.ts';

/** An outgoing webhook: events of a platform whose type matches `event` are delivered to `url`. */
export interface RegisteredWebhook {
  /** Given by the register. */
  readonly id: string;
  readonly platform: string;
  readonly title: string;
  /** Type or pattern, such as `workflow.failed` or `reconcile.*`. */
  readonly event: string;
  readonly url: string;
  readonly active: boolean;
  /** Whether deliveries are signed; the secret itself is told by `secretOf` only. */
  readonly signed: boolean;
  /** Another value after every write. */
  readonly version: string;
  readonly marker?: Marker;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  readonly changedAt: number;
  /** The token or Sync that changed it last. */
  readonly changedBy: string;
}

/** What is written, whole: without a `marker` it has none afterwards. A secret that is absent stays as it is, `null` takes it away. */
export interface WebhookDraft {
  readonly platform: string;
  readonly title: string;
  readonly event: string;
  readonly url: string;
  readonly active: boolean;
  readonly marker?: Marker;
  readonly secret?: SecretValue | null;
  readonly by: string;
}

/** The register of outgoing webhooks, kept in the ledger. Methods throw ReconcilerErrors. */
export interface WebhookRegister {
  /** All, or those of a platform; by id. */
  list(platform?: string): readonly RegisteredWebhook[];
  get(id: string): RegisteredWebhook | undefined;
  /** Creates with the id given (a used one: `conflict`), or with a new one. */
  create(draft: WebhookDraft, id?: string): RegisteredWebhook;
  /** @throws ReconcilerError `not-found`, and `stale` when it has not the version expected any more. */
  update(id: string, draft: WebhookDraft, version?: string): RegisteredWebhook;
  /** @returns whether there was one. @throws ReconcilerError `stale` as `update`. */
  remove(id: string, version?: string): boolean;
  /**
   * What its deliveries are signed with; undefined when they are not.
   * @throws ReconcilerError `seal-broken` when it has to be given again, `seal-missing` when the register has no key.
   */
  secretOf(id: string): SecretValue | undefined;
}
