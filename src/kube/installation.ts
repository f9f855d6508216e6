import { createHash } from 'node:crypto';

/** Label of everything that an installation keeps for itself in its namespace. */
const INSTALLATION = 'plumbline.dev/installation';

/** Where an installation keeps what is its own, and whose that is. */
export interface InstallationPlace {
  readonly namespace: string;
  readonly installation: string;
}

/** Labels by which an installation knows its own objects again. */
export function ownLabels({ installation }: InstallationPlace): Readonly<Record<string, string>> {
  return { [INSTALLATION]: labelValue(installation), 'app.kubernetes.io/managed-by': 'plumbline' };
}

/** The scope of a listing of an installation's own objects. */
export function ownScope({ namespace, installation }: InstallationPlace) {
  return { namespace, labelSelector: `${INSTALLATION}=${labelValue(installation)}` };
}

/** `plumbline-default-…`: begins the name of each of its objects. */
export function ownPrefix({ installation }: InstallationPlace): string {
  return `plumbline-${labelValue(installation)}`;
}

/** A name that labels and object names can carry; shortened by its digest where it cannot be used as it is. */
export function labelValue(text: string): string {
  return /^[a-z0-9](?:[-a-z0-9]{0,38}[a-z0-9])?$/.test(text) ? text : `x${digest(text)}`;
}

export function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}
