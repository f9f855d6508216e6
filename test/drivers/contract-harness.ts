import type { Driver, Limits, RequestObserver } from '../../src/drivers/driver.ts';
import type { JsonObject, Key, Kind } from '../../src/manifest/manifest.ts';
import type { RemoteObject } from '../../src/plan/types.ts';

/** The cases of the contract that a platform may have to leave out, with its reason. */
export type CaseName =
  | 'pages'
  | 'broken-apart'
  | 'poison'
  | 'preflight'
  | 'stale'
  | 'hand-made'
  | 'copies'
  | 'secrets'
  | 'secret-echo'
  | 'narrowed-rights'
  | 'instance'
  | 'events'
  | 'client-ids'
  | 'targeted'
  | 'silent-failure';

/** One object as the suite writes it. */
export interface Sample {
  readonly key: Key;
  readonly kind: Kind;
  readonly title: string;
  /** As `Manifest.spec()` gives it; `title` is in it. */
  readonly spec: JsonObject;
  /** Another content for the same object. */
  readonly changed: JsonObject;
  readonly dependsOn: readonly Key[];
  readonly secrets: Readonly<Record<string, string>>;
  /** JSON pointers that this spec leaves open. */
  readonly open: readonly string[];
}

/** What a person does on the platform, without plumbline. */
export interface Hands {
  /** Kinds whose objects a person can make and change. */
  readonly kinds: readonly Kind[];
  /** Makes an object with the sample's content and no marker; returns its remote id. */
  make(sample: Sample): Promise<string>;
  /** Changes the content of an object, not its title. */
  edit(kind: Kind, remote: string): Promise<void>;
  /** Duplicates an object, marker included; returns the remote id of the copy. */
  copy(kind: Kind, remote: string): Promise<string>;
}

export interface ConnectOptions {
  /** Default: the platform's own URL. */
  readonly url?: string;
  /** With an account that may do less. */
  readonly narrowed?: boolean;
  readonly limits?: Partial<Limits>;
  readonly onRequest?: RequestObserver;
}

/** A platform that runs, empty at first. */
export interface RunningPlatform extends AsyncDisposable {
  readonly url: string;
  connect(options?: ConnectOptions): Driver;
  /** Back to empty. */
  clear(): Promise<void>;
  readonly hands: Hands;
  /** Titles of everything that really is on the platform, by kind, told without the driver. */
  truth(kind: Kind): Promise<readonly string[]>;
}

/** What the one contract suite needs to know of a platform. */
export interface DriverHarness {
  start(): Promise<RunningPlatform>;
  /** At least one per kind that the driver manages, in an order in which they can be created. */
  readonly samples: readonly Sample[];
  /** A Workflow whose definition carries this text somewhere. */
  workflow(key: Key, title: string, text: string): Sample;
  /** More objects than fit on a page, of the kind of `workflow`. */
  readonly moreThanAPage: number;
  /** What the platform refuses when it is written, although nothing was wrong with it before; armed by `poison`. */
  poison?(platform: RunningPlatform, sample: Sample): void;
  /** A Workflow that the platform refuses by itself, where one exists. */
  readonly poisoned?: Sample;
  /** Kinds that are told from others by their marker only: released, they are something else. */
  readonly onlyByMarker?: readonly Kind[];
  /** Objects that are observed on an empty platform too, and that nobody can change (users of a settings file). */
  standing?(object: RemoteObject): boolean;
  /** What the driver must refuse before the first write (law 13). */
  readonly refused?: Sample;
  /** Writes a sample in a way that the platform takes, without effect: what the proxy answers instead of forwarding it. */
  readonly emptySuccess?: { readonly code: number; readonly body: string };
  /** Milliseconds that one case may take on this platform; two minutes when absent. */
  readonly patience?: number;
  /** Milliseconds within which the platform surely answers, for cases in which an answer never comes. */
  readonly shortTimeout: number;
  /** Paths of the requests that list objects. */
  readonly listing: RegExp;
  /** Cases this platform leaves out, each with a sentence that says why. */
  readonly skip: Partial<Record<CaseName, string>>;
}
