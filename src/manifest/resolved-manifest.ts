import type { Origin } from '../errors.ts';
import type { SecretRef } from '../secrets/secrets.ts';
import type { JsonObject, Key, Kind, Manifest, OutputReference } from './manifest.ts';
import type { Outcome, Layers } from './doc.ts';

/** Reads the content behind a manifest when somebody needs it. */
export interface SpecReader {
  readSpec(layers: Layers, fingerprint: string, signal: AbortSignal): Promise<JsonObject>;
}

/** A manifest as it is handed out. Holds references to what was parsed anyway, and no content. */
export class ResolvedManifest implements Manifest {
  readonly dependsOn: readonly Key[];
  readonly format?: string;
  readonly #layers: Layers;
  readonly #outcome: Outcome;
  readonly #reader: SpecReader;

  constructor(layers: Layers, outcome: Outcome, dependsOn: readonly Key[], reader: SpecReader) {
    this.#layers = layers;
    this.#outcome = outcome;
    this.#reader = reader;
    this.dependsOn = dependsOn;
    if (outcome.format !== undefined) this.format = outcome.format;
  }

  get key(): Key {
    return this.#layers.base.key;
  }
  get kind(): Kind {
    return this.#layers.base.kind;
  }
  get name(): string {
    return this.#layers.base.name;
  }
  get origin(): Origin {
    return this.#layers.base.origin;
  }
  get title(): string {
    return this.#outcome.title;
  }
  get renamedFrom(): readonly Key[] {
    return this.#outcome.renamedFrom;
  }
  get labels(): Readonly<Record<string, string>> {
    return this.#outcome.labels;
  }
  get annotations(): Readonly<Record<string, string>> {
    return this.#outcome.annotations;
  }
  get ignoreFields(): readonly string[] {
    return this.#outcome.ignoreFields;
  }
  get outputReferences(): readonly OutputReference[] {
    return this.#outcome.outputReferences;
  }
  get secrets(): Readonly<Record<string, SecretRef>> {
    return this.#outcome.secrets;
  }
  get fingerprint(): string {
    return this.#outcome.fingerprint;
  }

  spec(signal: AbortSignal): Promise<JsonObject> {
    return this.#reader.readSpec(this.#layers, this.fingerprint, signal);
  }
}
