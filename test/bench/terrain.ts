import type { DefinitionFormat, Kind } from '../../src/manifest/manifest.ts';
import type { Driver } from '../../src/drivers/driver.ts';
import type { Definition } from './repository.ts';

/** A platform to be measured on. */
export interface Terrain extends AsyncDisposable {
  readonly driver: Driver;
  readonly format: DefinitionFormat;
  readonly kinds: readonly Kind[];
  readonly definition: Definition;
  /** Gets ready for a pass: what it sends from now on is counted. */
  begin(): Promise<void>;
  /** What was sent since `begin`, to be sent again bare. Nothing of this is part of the pass. */
  end(): Promise<Bare>;
  /** Keeps what the platform holds for the next process, where it does not outlive this one. */
  save(): void;
}

/** Requests without Plumbline: the floor. */
export interface Bare {
  readonly requests: number;
  /** Puts the platform into the state before, where the requests write. */
  prepare(): Promise<void>;
  send(): Promise<void>;
}

/** 12 kB of JSON as workflows have it: many small fields and some text. Different for every object. */
export function steps(index: number, edition: number): readonly { readonly [name: string]: string | number }[] {
  return Array.from({ length: 45 }, (_, at) => ({
    id: `s${index}-${at}`,
    name: `Step ${at} of workflow ${index}`,
    note: `Edition ${at === 7 ? edition : 0}. Takes what came in, looks up order ${index * 45 + at}, and hands on what it found.`,
    retries: at % 4,
    text: `const order = input.orders.find((one) => one.number === ${index * 45 + at});\nreturn { ...order, checked: true };`,
  }));
}
