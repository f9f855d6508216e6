import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { configurationProblems } from '../../src/daemon/configuration.ts';
import { ReconcilerError, formatOrigin } from '../../src/errors.ts';
import type { Connection, DriverDefinition } from '../../src/drivers/driver.ts';
import { MemoryPlace, MemoryPlatform } from './memory-place.ts';

const platform = (name: string, spec = '', driver = 'n8n'): string => `
apiVersion: plumbline.dev/v1alpha1
kind: Platform
metadata: {name: ${name}}
spec:
  driver: ${driver}
  url: http://${name}.test
  ${spec}
`;

describe('Beta features of a platform', function () {
  this.timeout(30_000);
  let at: MemoryPlace;
  const connections: Connection[] = [];
  const driverNamed = (name: string): DriverDefinition => ({
    name,
    auth: [],
    beta: ['package-import'],
    connect: (connection) => {
      connections.push(connection);
      return new MemoryPlatform();
    },
  });

  before(async () => {
    at = await MemoryPlace.create();
    await at.configure(platform('plain'), platform('fast', 'beta: [package-import]'));
    await at.start({ driverNamed });
  });
  after(() => at.remove());

  const platforms = () => at.daemon.workshop.engine.platforms;
  const driver = (name: string) => platforms().driver(name, AbortSignal.timeout(10_000));

  it('reach the driver where spec.beta names them, and otherwise none does', async () => {
    await driver('plain');
    await driver('fast');
    expect(connections.map(({ beta }) => beta)).to.deep.equal([[], ['package-import']]);
  });

  it('that the driver does not know are refused where they are written, with those it knows (laws 12 and 15)', async () => {
    const file = join(at.place.dir, 'typo.yaml');
    await writeFile(
      file,
      `${platform('typo', 'beta: [package-import, package-imprt]')}---\n${platform('none', 'beta: [package-import]', 'directus')}`,
    );
    const found = (await configurationProblems(file)).map(
      ({ origin, message, remedy }) => `${formatOrigin(origin).replace(/.*typo/, 'typo')} ${message} ${remedy}`,
    );
    expect(found).to.deep.equal([
      'typo.yaml:8:26 the driver n8n uses no beta feature "package-imprt". Did you mean "package-import"?',
      'typo.yaml:17:10 the driver directus uses no beta feature "package-import". Remove it; it uses none.',
    ]);
  });

  it('are refused by a Platform that came by another way, as a custom resource does', async () => {
    const known = platforms().get('fast');
    if (known === undefined) throw new Error('there is no such Platform');
    const spec = { ...known.spec, beta: ['slow-lane'] };
    await platforms().configure(new Map([['fast', { ...known, spec }]]));
    const error: unknown = await driver('fast').catch((thrown: unknown) => thrown);
    if (!(error instanceof ReconcilerError)) throw new Error(`not refused: ${String(error)}`);
    expect(error.code).to.equal('unknown-beta');
    expect(error.message).to.match(/Platform fast: .*"slow-lane"/);
  });
});
