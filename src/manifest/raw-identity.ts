import type { Part } from './definition.ts';
import { slug } from './slug.ts';

/** What makes parts of exports the same object, and what it is called while nothing else has that name. */
export interface Identity {
  readonly word: string;
  /** `Kind/name`. */
  readonly plain: string;
  /** It belongs to no one file: others in the export need it, or it is a connection. */
  readonly shared: boolean;
}

interface Identified extends Part {
  readonly title: string;
  readonly type?: string;
  readonly needs: readonly Part[];
}

/**
 * Identities of the parts of one export. A workflow is named by the path of its file; its part is appended only when the
 * file holds several, so that a flow keeps its name when it begins to use a subflow. Connections and subflows are named
 * by type and title: they stay the same when one of the files that carry them goes.
 */
export function identities(path: string, parts: readonly Identified[]): readonly Identity[] {
  const needed = new Set(parts.flatMap(({ needs }) => needs.map(({ kind, part }) => `${kind}/${part}`)));
  const isShared = ({ kind, part }: Part): boolean => kind !== 'Workflow' || needed.has(`${kind}/${part}`);
  const several = parts.filter((part) => !isShared(part)).length > 1;
  const file = path.replace(/\.[^./]*$/, '');
  return parts.map((one) => {
    const shared = isShared(one);
    const called = shared
      ? `${one.type ?? ''}/${one.title}`
      : several && one.part !== ''
        ? `${file}/${one.part}`
        : file;
    return {
      word: `${one.kind}/${shared ? 'shared' : 'file'}/${called}`,
      plain: `${one.kind}/${slug(called)}`,
      shared,
    };
  });
}
