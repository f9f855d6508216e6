import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { JsonObject, JsonValue, Kind } from '../../../src/manifest/manifest.ts';

/** The environment that the manifests of a revision take their secrets from. */
export type Environment = Readonly<Record<string, string>>;

/** What differs from platform to platform in the manifests that a pass is killed over. */
export interface Dialect {
  readonly format: string;
  /** A definition that uses a connection, by its title, and carries a text. */
  definition(name: string, connection: string, text: string): JsonValue;
  /** An Integration's type and settings. */
  integration(port: number): { readonly type: string; readonly settings: JsonObject; readonly secret: string };
  permissions(wide: boolean): JsonValue;
  /** Kinds that the platform holds; all when absent. */
  readonly kinds?: readonly RequestedKind[];
  /** Whether an Application has nothing but a title that could change. */
  readonly bareApplications?: true;
  /** Whether a workflow runs; every one when absent. */
  runs?(number: number): boolean;
}

/** Webhooks are kept in the ledger, which these passes are killed over: no request to a platform is sent for them. */
export type RequestedKind = Exclude<Kind, 'Webhook' | 'ServiceLevel'>;

interface Revision {
  readonly name: 'before' | 'after';
  /** Objects of each kind: from the first to the last, by number. */
  readonly numbers: Readonly<Record<RequestedKind, readonly [number, number]>>;
}

/*
 * From "before" to "after" are 50 changes: per kind the lowest numbers go, the next ones change, some stay as they are, and
 * the highest are new.
 *
 *                deleted   changed   same    created
 *   Application   1         2–3       4       5–6
 *   AccessRole    1         2–3       4       5–6
 *   Integration   1–2       3–6       7       8–11
 *   Workflow      1–2       3–10      11–12   13–20
 *   AccessGrant   1–4       5–8       9       10–13
 */
const BEFORE: Revision = {
  name: 'before',
  numbers: { Application: [1, 4], AccessRole: [1, 4], Integration: [1, 7], Workflow: [1, 12], AccessGrant: [1, 9] },
};
const AFTER: Revision = {
  name: 'after',
  numbers: { Application: [2, 6], AccessRole: [2, 6], Integration: [3, 11], Workflow: [3, 20], AccessGrant: [5, 13] },
};
const CHANGED: Readonly<Record<RequestedKind, readonly [number, number]>> = {
  Application: [2, 3],
  AccessRole: [2, 3],
  Integration: [3, 6],
  Workflow: [3, 10],
  AccessGrant: [5, 8],
};
/** How many changes lead from "before" to "after", and how many of them take something away. */
export function countsOf(dialect: Dialect): { readonly changes: number; readonly removed: number } {
  const kinds = dialect.kinds ?? ALL;
  const between = (of: readonly [number, number], to: readonly [number, number]): number => to[0] - of[0];
  const removed = sum(kinds.map((kind) => between(BEFORE.numbers[kind], AFTER.numbers[kind])));
  const created = sum(kinds.map((kind) => AFTER.numbers[kind][1] - BEFORE.numbers[kind][1]));
  const changed = kinds.filter((kind) => kind !== 'Application' || dialect.bareApplications !== true);
  return { changes: removed + created + sum(changed.map((kind) => size(CHANGED[kind]))), removed };
}

const ALL: readonly RequestedKind[] = ['Application', 'AccessRole', 'Integration', 'Workflow', 'AccessGrant'];

function size([first, last]: readonly [number, number]): number {
  return last - first + 1;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0);
}

/** Secrets of all integrations; "after" rotates the one of number 3. */
export function environmentOf(name: 'before' | 'after'): Environment {
  const entries = Array.from({ length: 12 }, (_, index) => [
    `CRASH_${index}`,
    `secret-${index}-${index === 3 ? name : 'always'}`,
  ]);
  return Object.fromEntries(entries) as Environment;
}

/** Writes all manifests of a revision into a folder, which then holds nothing else. */
export async function writeRevision(folder: string, name: 'before' | 'after', dialect: Dialect): Promise<void> {
  const revision = name === 'before' ? BEFORE : AFTER;
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  for (const kind of dialect.kinds ?? ALL) {
    const [first, last] = revision.numbers[kind];
    const [from, to] = CHANGED[kind];
    const documents: string[] = [];
    for (let number = first; number <= last; number += 1) {
      const changed = name === 'after' && number >= from && number <= to;
      const metadata = { name: nameOf(kind, number) };
      documents.push(
        stringify({
          apiVersion: 'plumbline.dev/v1alpha1',
          kind,
          metadata,
          spec: specOf(kind, { number, changed }, dialect),
        }),
      );
    }
    await writeFile(join(folder, `${kind.toLowerCase()}s.yaml`), documents.join('---\n'));
  }
}

function nameOf(kind: RequestedKind, number: number): string {
  return `${kind.toLowerCase()}-${number}`;
}

function specOf(
  kind: RequestedKind,
  { number, changed }: { number: number; changed: boolean },
  dialect: Dialect,
): JsonObject {
  // What refers and what is referred to go and come together: nothing refers to a number that its revision lacks.
  const low = (of: RequestedKind): string => nameOf(of, number <= 2 && of !== 'Workflow' ? 1 : 4);
  const word = changed ? 'changed' : 'first';
  if (kind === 'Application')
    return { title: `Application ${number}`, ...(dialect.bareApplications === true ? {} : { owner: word }) };
  if (kind === 'AccessRole') return { title: `Role ${number}`, permissions: dialect.permissions(changed) };
  if (kind === 'Integration') {
    const { type, settings, secret } = dialect.integration(changed ? 2000 + number : 1000 + number);
    return {
      title: `Integration ${number}`,
      type,
      settings,
      secrets: { [secret]: { valueFrom: { env: `CRASH_${number}` } } },
    };
  }
  if (kind === 'Workflow') {
    const connection = `Integration ${number <= 2 ? number : 3 + (number % 5)}`;
    const application = number >= 13 ? nameOf('Application', 5 + (number % 2)) : low('Application');
    return {
      title: `Workflow ${number}`,
      application,
      active: dialect.runs?.(number) ?? true,
      format: dialect.format,
      definition: dialect.definition(nameOf(kind, number), connection, word),
    };
  }
  const role = number >= 10 ? nameOf('AccessRole', 5 + (number % 2)) : low('AccessRole');
  const users = changed
    ? [`user-${number}@example.com`, `second-${number}@example.com`]
    : [`user-${number}@example.com`];
  return { role, subjects: users.map((user) => ({ user })), scope: { platform: true } };
}
