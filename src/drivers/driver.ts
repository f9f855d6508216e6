import type { ReconcilerError } from '../errors.ts';
import type { DefinitionFormat, JsonObject, JsonValue, Key, Kind } from '../manifest/manifest.ts';
import type { OutputNames, Outputs } from '../manifest/output-reference.ts';
import type { Capabilities, Change, Marker, Owner, RemoteObject } from '../plan/types.ts';
import type { SecretValue } from '../secrets/secrets.ts';

/** What a platform says of itself when asked; everything a plan needs to refuse up front. */
export interface Facts {
  readonly version: string;
  /** Identity of the instance behind the URL, where the platform has one. Another value means another instance. */
  readonly instance?: string;
  /** What this account may do, sorted; fewer than last time means that absence is not proven (law 3). */
  readonly rights: readonly string[];
  readonly licence?: string;
  /** The account Plumbline uses, which is never locked out. */
  readonly account?: string;
  /** What this installation can do with each kind (capabilities narrowed by licence, rights and add-ons). */
  readonly capabilities: Capabilities;
  /** Things worth telling a person (`check` prints them). */
  readonly notes: readonly string[];
}

/** What to look at: whole kinds, or named objects of them (a commit that touches three objects looks at three). */
export interface Look {
  readonly kinds: readonly Kind[];
  /** Only these: by remote id, or by title where no id is known. Drivers that cannot may list everything. */
  readonly only?: { readonly remotes: readonly string[]; readonly titles: readonly string[] };
}

/** Says that a kind was listed to its end, or why not. A driver yields one per kind it was asked for. */
export interface Listed {
  readonly listed: Kind;
  readonly complete: boolean;
  readonly because?: string;
}

/** One change to carry out, with what it takes. */
export interface Step {
  readonly change: Change;
  readonly owner: Owner;
  /** To be set on the object in the same write; absent for release and delete. */
  readonly marker?: Marker;
  /** The normalised desired content; rejects for release and delete. */
  desired(): Promise<JsonObject>;
  /** Values of the secrets that have to be written, by name; others are left as they are. */
  secrets(): Promise<Readonly<Record<string, SecretValue>>>;
}

/** A change that the platform would refuse, or could not survive, found before the first write. */
export interface Refusal {
  readonly key: Key;
  readonly because: string;
  readonly remedy: string;
  /** The change can be made all the same: the object stands, and lacks what is named here until somebody supplies it. */
  readonly bearable?: true;
}

/** What came of one change. */
export type Outcome =
  | {
      readonly status: 'applied';
      readonly change: Change;
      readonly remote?: { readonly id: string; readonly version: string };
    }
  | { readonly status: 'failed'; readonly change: Change; readonly error: ReconcilerError }
  | { readonly status: 'skipped'; readonly change: Change; readonly because: string };

/** One run of a workflow on the platform. Times are milliseconds since 1970. */
export interface Execution {
  readonly id: string;
  /** Remote id of the workflow. */
  readonly workflow: string;
  readonly status: 'running' | 'success' | 'error';
  readonly startedAt: number;
  readonly endedAt?: number;
  readonly error?: string;
  /** What `TriggerRequest.correlation` said, where the platform carries it along. */
  readonly correlation?: string;
  /** Somebody tries a workflow out in the platform's editor: told, and not counted. */
  readonly trial?: true;
}

/** A wish to run one workflow now. */
export interface TriggerRequest {
  /** Remote id of the workflow. */
  readonly remote: string;
  readonly input: JsonValue;
  /** Our id of this run (a UUID); given to the platform wherever it can carry it, and found again in `Execution.correlation`. */
  readonly correlation: string;
  /** Which entry of the workflow to use (a node's name), where it has several. */
  readonly entry?: string;
}

/** What the platform said when it was asked to run a workflow. It has begun; that it ended is not promised. */
export interface Triggered {
  /** The platform's id of the run, where it tells at once. */
  readonly execution?: string;
  /** What the workflow answered, where it answered in time: status and at most 64 KiB of body. */
  readonly answer?: { readonly status: number; readonly body: JsonValue };
}

/** What came of trying a connection. */
export interface Trial {
  readonly works: boolean;
  /** In the platform's own words. */
  readonly message: string;
}

/** Runs of workflows since a cursor. */
export interface ExecutionPage {
  readonly executions: readonly Execution[];
  /** Where to go on; opaque. */
  readonly cursor: string;
  /** Whether there may be more already, to be asked for at once. */
  readonly more?: boolean;
  /** Runs since the last cursor that the platform dropped before they could be read, where it tells. */
  readonly lost?: number;
  /** The platform has forgotten what it had not told yet, nobody knows how much: it was started anew. */
  readonly gap?: boolean;
}

/** Something changed on the platform; it only ever says "look again". */
export interface PlatformEvent {
  readonly type: string;
  readonly by?: string;
  readonly at: number;
  readonly remotes?: readonly string[];
}

/**
 * One connected platform. Methods take an AbortSignal and stop soon after it fires. Errors are ReconcilerErrors whose
 * `retry` says whether the platform may recover by itself.
 */
export interface Driver {
  /** The word in `Platform.spec.driver`. */
  readonly name: string;
  /** What could be done with the best licence and rights; `probe` narrows it. */
  readonly capabilities: Capabilities;
  readonly format?: DefinitionFormat;
  /** Kinds whose objects can carry a marker; on these a missing marker is drift. */
  readonly marks: readonly Kind[];
  /**
   * JSON pointers into a kind's normal form to what the platform takes and shows to nobody, secret or not: it is not compared, and
   * written when git changes it, which a hash in the ledger tells. `Change.secrets` names it as `spec` and the pointer.
   */
  readonly writeOnly?: Readonly<Partial<Record<Kind, readonly string[]>>>;
  /** Whether `observe` can look at single objects; where it cannot, every pass lists everything. */
  readonly targeted: boolean;
  /** Its platform does not tell how long runs take: `endedAt` of an execution is when it was noted, and so is `startedAt`. */
  readonly untimed?: true;
  probe(signal: AbortSignal): Promise<Facts>;
  /**
   * Streams the objects page by page, and a `Listed` per kind. A page that does not load ends its kind with
   * `complete: false` and does not throw; a platform that cannot be reached at all throws.
   */
  observe(look: Look, signal: AbortSignal): AsyncIterable<RemoteObject | Listed>;
  /** The content in the form in which it is compared. Pure and idempotent; gives the same for equal meaning. */
  normalize(kind: Kind, spec: JsonObject): JsonObject;
  /** What others may use of its objects (`${ref:Workflow/orders.webhookUrl}`); none when absent. */
  readonly outputs?: OutputNames;
  /**
   * The outputs of an object with this normalised content: no others than `outputs` declares, and never a secret. What this
   * object lacks is left out.
   */
  outputsOf?(kind: Kind, content: JsonObject, signal: AbortSignal): Promise<Outputs>;
  /** The id an object gets when the client may choose: equal for equal owner and key. */
  idFor?(owner: Owner, key: Key): string | undefined;
  /** Looks at changes before the first write (law 13). What it names is withheld with its reason, unless that is bearable. */
  preflight?(steps: readonly Step[], signal: AbortSignal): Promise<readonly Refusal[]>;
  /**
   * Carries out one stage; yields one outcome per step as it becomes known. Never throws for a single change.
   * A platform with one transactional write uses one; a refused batch is split so that only the culprit fails.
   */
  apply(stage: readonly Step[], signal: AbortSignal): AsyncIterable<Outcome>;
  /** Runs that started or ended after the cursor, oldest first. */
  executions?(cursor: string | undefined, signal: AbortSignal): Promise<ExecutionPage>;
  /** One run, by the platform's id; undefined when there is none (any more). */
  execution?(id: string, signal: AbortSignal): Promise<Execution | undefined>;
  /**
   * Runs a workflow once. Never tried twice: a request whose answer is lost may have started it.
   * @throws ReconcilerError `not-triggerable` ('never'; says what the workflow lacks and what to add), `not-found`,
   * `outcome-unknown` ('never'; it may have started), or as every request.
   */
  trigger?(request: TriggerRequest, signal: AbortSignal): Promise<Triggered>;
  /**
   * Has the platform try a connection (`Integration`, by remote id) against what it is for. Undefined where it knows no way to try it.
   * `check` asks; passes do not.
   */
  tryConnection?(remote: string, signal: AbortSignal): Promise<Trial | undefined>;
  /** Calls back when the platform says that something changed, where it can. */
  events?(onEvent: (event: PlatformEvent) => void, signal: AbortSignal): AsyncDisposable;
  /** Writes what is on the platform as manifests (`export`): an object's spec, ready for a repository. */
  toManifest?(object: RemoteObject): {
    readonly name: string;
    readonly spec: JsonObject;
    readonly definition?: { readonly file: string; readonly text: string };
  };
  [Symbol.asyncDispose](): Promise<void>;
}

/** How a driver reports the requests it sends, for metrics and benchmarks. */
export interface RequestObserver {
  (request: {
    readonly method: string;
    readonly route: string;
    readonly code: number | 'error';
    readonly seconds: number;
  }): void;
}

/**
 * State of the circuit that keeps requests from a platform that is down: `closed` lets them through, `open` holds them
 * back, `half-open` lets one through to look.
 */
export type CircuitState = 'closed' | 'open' | 'half-open';

/** What lets requests to a platform begin while this process is its one writer. Without one, they always may. */
export interface Fence {
  /**
   * Milliseconds that a request begun now may take.
   * @throws ReconcilerError 'backoff' (`not-holder`) when none may begin.
   */
  permit(): number;
}

/** What a driver gets to connect with. */
export interface Connection {
  readonly platform: string;
  readonly url: string;
  /** Where others reach what the platform serves, when that is not `url`. */
  readonly publicUrl?: string;
  /** Named credentials, read anew when a connection is made so that rotation is seen. */
  readonly auth: Readonly<Record<string, () => Promise<SecretValue>>>;
  readonly username?: string;
  /** Beta features of its API that may be used, of those that the driver knows; none when absent. */
  readonly beta?: readonly string[];
  readonly limits: Limits;
  readonly onRequest: RequestObserver;
  /** Told when the circuit changes its state. */
  readonly onCircuit?: (state: CircuitState) => void;
  /** Asked before every request. */
  readonly fence?: Fence;
}

export interface Limits {
  /** Requests under way at once. */
  readonly concurrency: number;
  readonly requestsPerSecond: number;
  /** Milliseconds for one request. */
  readonly timeout: number;
}

/** One line of the registry: how to make a driver. */
export interface DriverDefinition {
  readonly name: string;
  readonly format?: DefinitionFormat;
  /** As `Driver.outputs`. */
  readonly outputs?: OutputNames;
  /** Names of `auth` entries it understands, in groups of which one is needed (`[['token'], ['username', 'password']]`). */
  readonly auth: readonly (readonly string[])[];
  /** Beta features of the platform's API that it can use where `Platform.spec.beta` allows it. */
  readonly beta?: readonly string[];
  connect(connection: Connection): Driver;
}
