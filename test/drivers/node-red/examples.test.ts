import { expect } from 'chai';
import { readFileSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { Step } from '../../../src/drivers/driver.ts';
import { nodeRedFormat } from '../../../src/drivers/node-red/format.ts';
import type { JsonValue, RawObject } from '../../../src/manifest/manifest.ts';
import { type NodeRedServer, apply, connect, listed, never, rawFlows, startNodeRed, writeStep } from './server.ts';

const folder = join(dirname(createRequire(import.meta.url).resolve('@node-red/nodes/package.json')), 'examples');

interface Example extends RawObject {
  readonly name: string;
}

/** All examples, with titles of their own: on one server names have to tell things apart. */
function examples(): { readonly files: number; readonly objects: readonly Example[] } {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.json'));
  const taken = new Set<string>();
  const objects = files.toSorted().flatMap((file, index) => {
    const json = JSON.parse(readFileSync(join(folder, file), 'utf8')) as JsonValue;
    const split = nodeRedFormat.split(json, `${index} ${file}`);
    expect(split.problems, file).to.deep.equal([]);
    return split.objects.map((object, at): Example => {
      if (object.kind === 'Integration') return { ...object, name: `i${index}-${at}` };
      const title = taken.has(object.title) ? `${index} ${object.title}` : object.title;
      taken.add(title);
      return { ...object, title, spec: { ...object.spec, title }, name: `w${index}-${at}` };
    });
  });
  return { files: files.length, objects };
}

describe('The example flows of Node-RED', () => {
  let server: NodeRedServer;
  before(async () => {
    server = await startNodeRed();
  });
  after(async () => {
    await server.stop();
  });

  it('round-trip: what is applied is what is observed, and applying it again changes nothing', async () => {
    const { files, objects } = examples();
    expect(files).to.equal(113);
    await using driver = connect(server.url);
    const steps = (kind: string): Step[] =>
      objects
        .filter((object) => object.kind === kind)
        .map(({ name, kind: of, spec }) => writeStep({ name, kind: of, spec }));
    expect(await driver.preflight([...steps('Integration'), ...steps('Workflow')], never())).to.deep.equal([]);
    for (const stage of [steps('Integration'), steps('Workflow')]) {
      expect((await apply(driver, stage)).filter((outcome) => outcome !== 'applied')).to.deep.equal([]);
    }
    const there = await listed(driver);
    for (const object of objects) {
      const { active: _, ...seen } =
        there.find(({ marker, remote }) =>
          object.kind === 'Workflow'
            ? marker?.key === `Workflow/${object.name}`
            : remote === driver.idFor('default/demo', `Integration/${object.name}`),
        )?.value ?? {};
      expect(seen, object.title).to.deep.equal(driver.normalize(object.kind, object.spec));
    }
    expect(there).to.have.lengthOf(objects.length);
    const before = await rawFlows(server.url);
    const again = objects.map(({ name, kind, spec }) => writeStep({ name, kind, spec }));
    expect((await apply(driver, again)).filter((outcome) => outcome !== 'applied')).to.deep.equal([]);
    expect(await rawFlows(server.url)).to.deep.equal(before);
  });

  it('are exported as files that say the same', async () => {
    await using driver = connect(server.url);
    for (const object of await listed(driver)) {
      const { spec, definition } = driver.toManifest(object);
      if (definition === undefined) continue;
      const { definitionFrom: _, ...rest } = spec;
      const loaded = { ...rest, definition: JSON.parse(definition.text) as JsonValue };
      expect(driver.normalize('Workflow', loaded), object.title).to.deep.equal(object.value);
    }
  });
});
