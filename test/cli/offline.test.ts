import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import { expect } from 'chai';
import { Desk } from './binary.ts';

const HOLDER = fileURLToPath(new URL('../ledger/lock-holder.ts', import.meta.url));
const CONFIGURATION = `
apiVersion: plumbline.dev/v1alpha1
kind: Platform
metadata: {name: dead}
spec: {driver: node-red, url: "http://127.0.0.1:9"}
---
apiVersion: plumbline.dev/v1alpha1
kind: Sync
metadata: {name: orders}
spec: {source: {folder: {path: flows}}, platform: dead}
`;
const ROLE = `apiVersion: plumbline.dev/v1alpha1
kind: AccessRole
metadata: {name: operator}
spec: {title: "\${team}"}
`;

describe('the command line without a platform', function () {
  this.timeout(60_000);
  let desk: Desk;
  beforeEach(() => {
    desk = new Desk();
  });
  afterEach(() => {
    desk.remove();
  });

  it('names the command or flag that was probably meant, and ends with 1', async () => {
    const [command, flag, choice] = await Promise.all([
      desk.run('pln'),
      desk.run('plan', '--detailed-exitcod'),
      desk.run('plan', '-o', 'yaml'),
    ]);
    expect(command).to.include({ code: 1, out: '' });
    expect(command.err).to.match(/unknown command 'pln'[^]*plan/);
    expect(flag.code).to.equal(1);
    expect(flag.err).to.match(/unknown option[^]*--detailed-exitcode/);
    expect(choice.code).to.equal(1);
    expect(choice.err).to.match(/text, json/);
  });

  it('prints help and version with 0', async () => {
    const [help, version] = await Promise.all([desk.run('--help'), desk.run('--version')]);
    expect(help.code).to.equal(0);
    expect(help.out).to.include('PLUMBLINE_CONFIG');
    expect(version.code).to.equal(0);
    expect(version.out).to.match(/^\d+\.\d+\.\d+\n$/);
  });

  it('says of flags about custom resources that none count, and what to do', async () => {
    const [nowhere, off] = await Promise.all([
      desk.run('start', '--watch-namespace', 'shop'),
      desk.run('start', '--watch-namespace', 'shop', '--custom-resources', 'off', '--kubeconfig', 'cluster.yaml'),
    ]);
    expect(nowhere.code).to.equal(1);
    expect(nowhere.err).to.include('Name it with --kubeconfig');
    expect(off.code).to.equal(1);
    expect(off.err).to.include('let --custom-resources be auto');
  });

  it('says where configuration is looked for when there is none', async () => {
    const ran = await desk.run('plan');
    expect(ran.code).to.equal(1);
    expect(ran.err).to.include(join(desk.dir, 'plumbline.yaml')).and.include('--config');
  });

  it('validates configuration with file:line:column and the remedy: 0 fine, 1 problems', async () => {
    desk.write('plumbline.yaml', CONFIGURATION);
    desk.write(
      'wrong.yaml',
      CONFIGURATION.replace('metadata: {name: orders}\nspec: {', 'metadata: {name: orders}\nspec: {intervall: 5m, '),
    );
    const [fine, wrong, planned] = await Promise.all([
      desk.run('validate'),
      desk.run('validate', '--config', 'wrong.yaml', '-o', 'json'),
      desk.run('plan', '--config', 'wrong.yaml'),
    ]);
    expect(fine.code).to.equal(0);
    expect(wrong.code).to.equal(1);
    const { problems } = JSON.parse(wrong.out) as { problems: { origin: object; message: string; remedy: string }[] };
    expect(problems).to.have.lengthOf(1);
    expect(problems[0]?.origin).to.include({ line: 10, column: 8 });
    expect(problems[0]?.remedy).to.include('"interval"');
    expect(planned.code).to.equal(1);
    expect(planned.err).to.include('intervall').and.include('"interval"');
  });

  it('validates a folder with its variables, and its overlays', async () => {
    desk.write('flows/role.yaml', ROLE);
    desk.write('flows/overlays/prod/role.yaml', ROLE.replace('title', 'titel'));
    const [without, given, overlay] = await Promise.all([
      desk.run('validate', 'flows'),
      desk.run('validate', 'flows', '--var', 'team=Ops'),
      desk.run('validate', 'flows', '--var', 'team=Ops', '--overlay', 'overlays/prod'),
    ]);
    expect(without.code).to.equal(1);
    expect(without.out).to.match(/^role\.yaml:4:15: error: .*"team"/m);
    expect(given).to.include({ code: 0, err: '' });
    expect(overlay.code).to.equal(1);
    expect(overlay.out).to.match(/^overlays\/prod\/role\.yaml:4:8: error: .*Did you mean "title"/m);
  });

  it('tells which platform does not answer, plans nothing, and ends with 1', async () => {
    desk.write('plumbline.yaml', CONFIGURATION);
    desk.write('flows/role.yaml', ROLE.replace('${team}', 'Ops'));
    const checked = await desk.run('check');
    expect(checked.code).to.equal(1);
    expect(checked.out).to.match(/failed {2}dead/);
    const planned = await desk.run('plan', '--detailed-exitcode');
    expect(planned.code).to.equal(1);
    expect(planned.out).to.include('127.0.0.1:9');
    const applied = await desk.run('apply', '--yes');
    expect(applied.code).to.equal(1);
  });

  it('says that there is no daemon where one is needed, and how to go on', async () => {
    desk.write('plumbline.yaml', CONFIGURATION);
    const ran = await desk.run('reconcile');
    expect(ran.code).to.equal(1);
    expect(ran.err).to.include('plumbline start').and.include('plumbline apply');
    const status = await desk.run('status', '-o', 'json');
    expect(status.code).to.equal(0);
    expect(status.err).to.include('No daemon runs').and.include('plumbline plan');
    expect(JSON.parse(status.out)).to.have.property('syncs').with.lengthOf(1);
  });

  it('leaves a state directory alone that another process holds, and says which', async () => {
    desk.write('plumbline.yaml', CONFIGURATION);
    const holder = spawn(process.execPath, [HOLDER, join(desk.dir, '.plumbline')], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    try {
      await once(holder.stdout, 'data');
      const ran = await desk.run('plan');
      expect(ran.code).to.equal(1);
      expect(ran.err).to.include(String(holder.pid));
    } finally {
      holder.kill('SIGKILL');
      await once(holder, 'exit');
    }
  });
});
