import { randomBytes } from 'node:crypto';
import { FormData } from 'undici';
import { ReconcilerError, asReconcilerError } from '../../errors.ts';
import type { JsonObject } from '../../manifest/manifest.ts';
import { withContents } from '../contents.ts';
import type { Step } from '../driver.ts';
import { bodyFor } from './compose.ts';
import { isRefusal, unread } from './errors.ts';
import { fitsPackage, packageOf } from './package-file.ts';
import type { Packed } from './package-file.ts';
import { objectOf } from './shapes.ts';
import { wantedOf } from './wanted.ts';
import type { Writing } from './writing.ts';

/** The word in `Platform.spec.beta` that lets packages be used. */
export const PACKAGE_IMPORT = 'package-import';

/** Fewer new workflows than this are created one by one. */
const WORTH_A_PACKAGE = 8;
/** Workflows of one package, and characters of it: it takes about a second, and n8n takes 16 MB. */
const PACKAGE = { workflows: 50, characters: 4_000_000 };

/**
 * Never anything but creating, all or none of which is refused: an id that is taken already refuses the package. Credentials,
 * tables, tags and variables are none of its business, and a node type that is not installed keeps no workflow out.
 */
const TERMS = {
  workflowIdPolicy: 'source',
  workflowConflictPolicy: 'fail',
  workflowPublishingPolicy: 'unpublish-all',
  missingNodeTypeMode: 'import-anyway',
  credentialMissingMode: 'must-preexist',
  dataTableMissingMode: 'do-nothing',
  variableMissingMode: 'do-nothing',
  tagMissingMode: 'do-nothing',
} as const;

interface Packing extends Packed {
  readonly step: Step;
  readonly spec: JsonObject;
}

/**
 * Creates what can be created in packages, where n8n's beta import may be used. What came of a step is noted in `writing.imported`; a
 * step that is not noted there has not been sent, or was refused together with others, and is still to be created by itself.
 */
export async function createInPackages(steps: readonly Step[], writing: Writing): Promise<void> {
  const creates = steps.filter(({ change }) => change.kind === 'Workflow' && change.verb === 'create');
  if (!writing.api.mayUse(PACKAGE_IMPORT) || creates.length < WORTH_A_PACKAGE) return;
  let batch: Packing[] = [];
  let size = 0;
  let takes = true;
  let underway: Promise<boolean> | undefined;
  // One at a time: while n8n is at work on one, the next is put together.
  const send = async (): Promise<void> => {
    takes = (await underway) ?? true;
    if (takes && batch.length > 0) underway = importAll(batch, writing);
    batch = [];
    size = 0;
  };
  for await (const { task, desired } of withContents(creates.map((step) => ({ step })))) {
    if (!takes || writing.signal.aborted) break;
    const packing = await packingOf(task.step, desired, writing);
    if (packing === undefined) continue;
    const characters = JSON.stringify(packing.body).length;
    if (batch.length >= PACKAGE.workflows || size + characters > PACKAGE.characters) await send();
    batch.push(packing);
    size += characters;
  }
  await send();
  await underway;
}

/** Undefined for what does not go into a package: it would lose something, waits for others, or is to be told by itself what is wrong. */
async function packingOf(
  step: Step,
  desired: () => Promise<JsonObject>,
  writing: Writing,
): Promise<Packing | undefined> {
  try {
    const wanted = await wantedOf(step, await desired(), writing);
    const body = bodyFor(wanted);
    return writing.late.delete(step) || !fitsPackage(body) ? undefined : { step, spec: wanted.spec, id: newId(), body };
  } catch {
    return undefined;
  }
}

/** @returns whether n8n takes packages at all. */
async function importAll(batch: readonly Packing[], writing: Writing): Promise<boolean> {
  const { api, signal } = writing;
  const form = new FormData();
  for (const [name, value] of Object.entries(TERMS)) form.append(name, value);
  form.append('package', new Blob([new Uint8Array(await packageOf(batch, new Date()))]), 'workflows.n8np');
  try {
    await api.send({ method: 'POST', route: '/api/v1/n8n-packages/import', form, idempotent: false }, signal);
    for (const packing of batch) note(packing, writing);
    return true;
  } catch (error) {
    // Refused as a whole, as a rule; but it writes one after the other, and some may stand.
    if (isRefusal(error)) await Promise.all(batch.map((packing) => lookFor(packing, writing)));
    else for (const { step } of batch) writing.imported.set(step, asReconcilerError(error));
    return !(error instanceof ReconcilerError && error.code === 'unauthorized');
  }
}

/** Notes a step of a refused package whose workflow stands all the same, or of which that cannot be told. */
async function lookFor(packing: Packing, writing: Writing): Promise<void> {
  try {
    if ((await writing.api.get('workflows', packing.id, writing.signal)) !== undefined) note(packing, writing);
  } catch (error) {
    writing.imported.set(packing.step, unread(`The workflow "${packing.step.change.title}"`, error));
  }
}

function note({ step, spec, id, body }: Packing, { imported, catalogue }: Writing): void {
  const made = { id, name: step.change.title, settings: objectOf(body['settings']) };
  catalogue.learn(made);
  imported.set(step, { made, spec });
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

/** An id as n8n makes them. Never one that was used before: what was archived keeps its own. */
function newId(): string {
  return Array.from(randomBytes(16), (byte) => ALPHABET[byte % ALPHABET.length]).join('');
}
