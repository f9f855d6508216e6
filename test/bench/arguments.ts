import { parseArgs } from 'node:util';

/** What to measure, and how large. */
export interface Sizes {
  readonly platforms: ReadonlySet<'memory' | 'node-red'>;
  /** Objects of the in-memory platform. */
  readonly objects: number;
  /** Objects of the repository that a one-file commit is compared with. */
  readonly few: number;
  /** Tabs of the Node-RED. */
  readonly tabs: number;
  /** Folder for V8 profiles of every pass's process; none when undefined. */
  readonly profiles: string | undefined;
  /** For node, in every process that is measured. */
  readonly nodeFlags: readonly string[];
}

const PLATFORMS = ['memory', 'node-red'] as const;

export const USAGE = `npm run bench -- [memory] [node-red] [--objects 10000] [--few 100] [--tabs 1000] [--profiles FOLDER] [--node-flags=FLAGS], or: events [--events 100000] [--kills 10], push [workflows], plugins, levels [--days 30], failover [--rounds 100] [--platform mint|node-red] [--default-times], kubernetes [--syncs 1000] [--resources 10000] [--rest SECONDS] [--limit MEBIBYTES], n8n --corpus FOLDER, directus`;

/** @throws Error for anything that is not understood. */
export function sizesOf(args: readonly string[]): Sizes {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      objects: { type: 'string', default: '10000' },
      few: { type: 'string', default: '100' },
      tabs: { type: 'string', default: '1000' },
      profiles: { type: 'string' },
      'node-flags': { type: 'string', default: '' },
    },
  });
  const named = positionals.map((word) => {
    const platform = PLATFORMS.find((one) => one === word);
    if (platform === undefined) throw new Error(`"${word}" is no platform of this benchmark. Usage: ${USAGE}`);
    return platform;
  });
  return {
    platforms: new Set(named.length === 0 ? PLATFORMS : named),
    objects: count(values.objects, 'objects'),
    few: count(values.few, 'few'),
    tabs: count(values.tabs, 'tabs'),
    profiles: values.profiles,
    nodeFlags: values['node-flags'].split(' ').filter((flag) => flag !== ''),
  };
}

function count(text: string, name: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new Error(`--${name} takes a positive whole number.`);
  return value;
}
