import { request } from 'undici';
import { MintServer } from '../../drivers/mint/server.ts';
import { startNodeRed } from '../../drivers/node-red/server.ts';

/** A platform for replicas to fight over: what git says in each round, and how the platform must stand then. */
export interface Terrain extends AsyncDisposable {
  readonly name: string;
  readonly url: string;
  readonly mint: boolean;
  /** Writes of a round of which each may be the one that is under way at a strike. */
  readonly depth: number;
  /** How many of them there are about in a round, two at a time. */
  readonly writes: number;
  /** Files that change in this round; undefined: gone. */
  files(round: number): Readonly<Record<string, string | undefined>>;
  /** Makes it say so where it is not git that does; `files` are committed when absent. */
  readonly change?: (round: number) => Promise<void>;
  wanted(round: number): readonly string[];
  /** Everything that is on the platform, one line for each object: what is there twice has two. */
  picture(): Promise<readonly string[]>;
}

const HEADER = 'apiVersion: plumbline.dev/v1alpha1';
const range = (count: number): readonly number[] => Array.from({ length: count }, (_, index) => index);

/** Objects that change in every round, and one that comes and one that goes; half of them can carry no marker. */
export async function mintTerrain(objects = 24): Promise<Terrain> {
  const mint = await MintServer.start({});
  const application = (index: number, round: number): string =>
    `${HEADER}\nkind: Application\nmetadata: {name: app-${index}}\nspec: {title: App ${index}, version: "1.0.${round}"}\n`;
  const integration = (name: string, round: number): string =>
    `${HEADER}\nkind: Integration\nmetadata: {name: ${name}}\nspec: {title: ${name}, type: http-header, settings: {name: X-${round}}, secrets: {value: {valueFrom: {env: FLEET_SECRET}}}}\n`;
  return {
    name: 'mint',
    url: mint.url,
    mint: true,
    depth: 6,
    writes: 2 * objects,
    files: (round) => ({
      ...Object.fromEntries(range(objects).map((index) => [`app-${index}.yaml`, application(index, round)])),
      ...Object.fromEntries(range(objects).map((index) => [`crm-${index}.yaml`, integration(`crm-${index}`, round)])),
      [`new-${round}.yaml`]: integration(`new-${round}`, round),
      ...(round === 0 ? {} : { [`new-${round - 1}.yaml`]: undefined }),
    }),
    wanted: (round) =>
      [
        ...range(objects).map((index) => `App ${index} "1.0.${round}"`),
        ...range(objects).map((index) => `crm-${index} X-${round}`),
        `new-${round} X-${round}`,
      ].toSorted(),
    picture: async () =>
      [
        ...mint.store.list('applications').map(({ title, body }) => `${title} ${JSON.stringify(body['release'])}`),
        ...mint.store
          .list('connections')
          .map(({ title, body }) => `${title} ${(body['settings'] as { name?: string } | undefined)?.name ?? ''}`),
      ].toSorted(),
    [Symbol.asyncDispose]: () => mint[Symbol.asyncDispose](),
  };
}

/** Tabs that change in every round, one that comes and one that goes, on a real Node-RED. */
export async function nodeRedTerrain(tabs = 5): Promise<Terrain> {
  const server = await startNodeRed();
  const workflow = (name: string, round: number): string => {
    const tab = { id: 't', type: 'tab', label: name, disabled: false, info: '' };
    const comment = { id: 'c', type: 'comment', z: 't', name: `round ${round}`, info: '', x: 100, y: 80, wires: [] };
    return `${HEADER}\nkind: Workflow\nmetadata: {name: ${name}}\nspec:\n  title: ${name}\n  definition: ${JSON.stringify([tab, comment])}\n`;
  };
  return {
    name: 'node-red',
    url: server.url,
    mint: false,
    depth: 1,
    writes: 2,
    files: (round) => ({
      ...Object.fromEntries(range(tabs).map((index) => [`tab-${index}.yaml`, workflow(`tab-${index}`, round)])),
      [`new-${round}.yaml`]: workflow(`new-${round}`, round),
      ...(round === 0 ? {} : { [`new-${round - 1}.yaml`]: undefined }),
    }),
    wanted: (round) =>
      [...range(tabs).map((index) => `tab-${index} round ${round}`), `new-${round} round ${round}`].toSorted(),
    picture: async () => {
      const answer = await request(`${server.url}/flows`);
      const nodes = (await answer.body.json()) as readonly {
        id: string;
        type: string;
        label?: string;
        z?: string;
        name?: string;
      }[];
      return nodes
        .flatMap(({ id, type, label }) => (type === 'tab' ? [{ id, label }] : []))
        .map(({ id, label }) => `${label} ${nodes.find(({ z, type }) => z === id && type === 'comment')?.name ?? ''}`)
        .toSorted();
    },
    [Symbol.asyncDispose]: () => server.stop(),
  };
}
