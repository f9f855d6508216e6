import { nodeRedFormat } from '../../src/drivers/node-red/format.ts';
import type { JsonValue } from '../../src/manifest/manifest.ts';
import { FLOW_KINDS, connect, deployRaw, rawFlows } from '../drivers/node-red/server.ts';
import type { Definition } from './repository.ts';
import type { Terrain } from './terrain.ts';

interface Request {
  readonly method: string;
  readonly route: string;
}

/** A real Node-RED, one tab per workflow. */
export function nodeRedTerrain(url: string): Terrain {
  let sent: Request[] = [];
  let before: readonly JsonValue[] = [];
  const driver = connect(url, { onRequest: ({ method, route }) => sent.push({ method, route }) });
  return {
    driver,
    format: nodeRedFormat,
    kinds: FLOW_KINDS,
    definition: nodeRedDefinition,
    begin: async () => {
      before = (await rawFlows(url)).flows;
      sent = [];
    },
    end: async () => {
      const requests = sent;
      const after = (await rawFlows(url)).flows;
      const writes = requests.some(({ method }) => method === 'POST');
      return {
        requests: requests.length,
        prepare: () => (writes ? deployRaw(url, before) : Promise.resolve()),
        send: () => sendAll(url, requests, JSON.stringify({ flows: after })),
      };
    },
    save: () => undefined,
    [Symbol.asyncDispose]: () => driver[Symbol.asyncDispose](),
  };
}

async function sendAll(url: string, requests: readonly Request[], flows: string): Promise<void> {
  for (const { method, route } of requests) {
    const writes = method === 'POST' && route === '/flows';
    const answer = await fetch(`${url}${route}`, {
      method: writes ? method : 'GET',
      headers: {
        'content-type': 'application/json',
        'Node-RED-API-Version': 'v2',
        'Node-RED-Deployment-Type': 'nodes',
      },
      ...(writes ? { body: flows } : {}),
    });
    await answer.arrayBuffer();
  }
}

export const nodeRedDefinition: Definition = (index, edition) => {
  const tab = id(index, 0);
  const at = (position: number) => ({ z: tab, x: 120 + 160 * position, y: 80 });
  return [
    { id: tab, type: 'tab', label: `Workflow ${index}`, disabled: false, info: '', env: [] },
    {
      id: id(index, 1),
      type: 'inject',
      ...at(0),
      name: 'Begin',
      props: [{ p: 'payload' }],
      repeat: '',
      crontab: '',
      once: false,
      onceDelay: 0.1,
      topic: '',
      payload: '',
      payloadType: 'date',
      wires: [[id(index, 2)]],
    },
    {
      id: id(index, 2),
      type: 'function',
      ...at(1),
      name: 'Check the order',
      func: `// Edition ${edition}\nmsg.order = ${index};\nreturn msg;\n`,
      outputs: 1,
      timeout: 0,
      noerr: 0,
      initialize: '',
      finalize: '',
      libs: [],
      wires: [[id(index, 3)]],
    },
    {
      id: id(index, 3),
      type: 'change',
      ...at(2),
      name: 'Mark it',
      rules: [{ t: 'set', p: 'checked', pt: 'msg', to: 'true', tot: 'bool' }],
      action: '',
      property: '',
      from: '',
      to: '',
      reg: false,
      wires: [[]],
    },
  ];
};

function id(index: number, part: number): string {
  return (index * 16 + part + 0x1000_0000).toString(16).padStart(16, '0');
}
