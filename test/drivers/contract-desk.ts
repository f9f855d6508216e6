import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Driver } from '../../src/drivers/driver.ts';
import type { JsonObject, Kind } from '../../src/manifest/manifest.ts';
import { passwordName } from '../../src/manifest/access-grant.ts';
import { API_VERSION } from '../../src/manifest/metadata.ts';
import { SCHEMAS } from '../../src/manifest/schemas.ts';
import type { Terms } from '../../src/plan/terms.ts';
import type { PassReport } from '../../src/report/pass-report.ts';
import type { Sample } from './contract-harness.ts';
import { loaderFor, runPass, stateDirIn } from './crash/pass.ts';

/** A repository made of samples, and a ledger that can be lost: what whole passes take on any platform. */
export class ContractDesk implements Disposable {
  readonly #dir = mkdtempSync(join(tmpdir(), 'plumbline-contract-'));
  readonly #environment: Record<string, string> = {};

  /** Writes these samples, and nothing else, as manifests; `changed` takes their other content. */
  write(samples: readonly Sample[], format: string | undefined, which: 'spec' | 'changed' = 'spec'): void {
    rmSync(this.#folder, { recursive: true, force: true });
    mkdirSync(this.#folder);
    for (const sample of samples) {
      const file = `${sample.key.replace('/', '-').toLowerCase()}.json`;
      writeFileSync(join(this.#folder, file), JSON.stringify(this.#documentOf(sample, format, which)));
    }
  }

  /** One pass of a daemon that has just been started: it knows what the ledger knows. */
  async pass(driver: Driver, terms: Partial<Terms> = {}, signal?: AbortSignal): Promise<PassReport> {
    if (driver.format === undefined) throw new Error(`the driver ${driver.name} has no format of definitions`);
    const stateDir = stateDirIn(this.#dir, 'contract');
    const setting = { folder: this.#folder, stateDir, environment: this.#environment, terms };
    return runPass(setting, driver, loaderFor(driver.format), signal);
  }

  loseLedger(): void {
    rmSync(stateDirIn(this.#dir, 'contract'), { recursive: true, force: true });
  }

  [Symbol.dispose](): void {
    rmSync(this.#dir, { recursive: true, force: true });
  }

  get #folder(): string {
    return join(this.#dir, 'repository');
  }

  #documentOf({ key, kind, spec, changed, secrets }: Sample, format: string | undefined, which: 'spec' | 'changed') {
    const references = Object.entries(secrets).map(([name, value]) => {
      const variable = `CRASH_${key.replaceAll(/\W/g, '_')}_${name}`.toUpperCase();
      this.#environment[variable] = value;
      return [name, { valueFrom: { env: variable } }] as const;
    });
    const given = which === 'spec' ? spec : changed;
    const whole: JsonObject = {
      ...given,
      ...(kind === 'Workflow' && format !== undefined ? { format } : {}),
      ...secretsIn(kind, given, new Map(references)),
    };
    // Samples are keyed by what a driver takes; a manifest's name is a DNS label.
    const metadata = { name: key.slice(key.indexOf('/') + 1).replaceAll(/^-+|-+$/g, '') };
    const document = { apiVersion: API_VERSION, kind, metadata, spec: whole };
    // A normal form has fields that nobody may write, such as the title of a grant.
    const foreign = (SCHEMAS[kind].safeParse(document).error?.issues ?? []).flatMap((issue) =>
      issue.code === 'unrecognized_keys' && issue.path.join() === 'spec' ? issue.keys : [],
    );
    const taken = Object.entries(whole).filter(([field]) => !foreign.includes(field));
    return { ...document, spec: Object.fromEntries(taken) };
  }
}

/** Where a manifest says its secrets: a grant says them of its subjects, and a webhook has one. */
function secretsIn(kind: Kind, spec: JsonObject, references: ReadonlyMap<string, JsonObject>): JsonObject {
  if (references.size === 0) return {};
  if (kind === 'Webhook') return Object.fromEntries(references);
  if (kind !== 'AccessGrant') return { secrets: Object.fromEntries(references) };
  const subjects = (spec['subjects'] as readonly { readonly user: string }[]).map((subject) => {
    const password = references.get(passwordName(subject.user));
    return password === undefined ? subject : { ...subject, password };
  });
  return { subjects };
}
