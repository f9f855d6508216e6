import type { JsonObject } from '../../manifest/manifest.ts';
import { readInfo } from './marker.ts';
import type { Names } from './names.ts';
import { type FlowSet, type RawNode, isRoot, parentOf, roleOf, textOf, titleOf, without } from './raw.ts';

/** What an entry stands for, apart from what is only part of something else. */
export function kindOf(entry: RawNode): 'Application' | 'Workflow' | 'Integration' | undefined {
  if (isRoot(entry)) return isHeading(entry) ? 'Application' : 'Workflow';
  return roleOf(entry) === 'config' && parentOf(entry) === undefined ? 'Integration' : undefined;
}

/** An Application is a tab that our own marker declares to be one; a title alone never is. */
export function isHeading(entry: RawNode): boolean {
  return entry.type === 'tab' && noteOf(entry).marker?.key.startsWith('Application/') === true;
}

export function noteOf(entry: RawNode): ReturnType<typeof readInfo>['note'] {
  return readInfo(textOf(entry, 'info') ?? '').note;
}

/** Everything on the server that belongs to one object: itself, and for a tab or subflow what stands on it. */
export function partsOf(set: FlowSet, entry: RawNode): readonly RawNode[] {
  return isRoot(entry) ? [entry, ...set.membersOf(entry.id)] : [entry];
}

/** The spec of an object as it stands, ids inside its definition kept, credentials left out. */
export function specOf(entry: RawNode, names: Names): JsonObject {
  const title = titleOf(entry);
  const { fields } = noteOf(entry);
  const kind = kindOf(entry);
  if (kind === 'Integration') {
    return {
      title,
      type: entry.type,
      settings: without(names.named(entry), ['id', 'type', 'z', 'name', 'credentials']),
    };
  }
  if (kind === 'Application') return { title, ...fields };
  const active = entry.type === 'tab' ? { active: entry['disabled'] !== true } : {};
  const definition = names.extract(entry).map((node) => without(node, ['credentials']));
  return { title, ...fields, ...active, definition };
}
