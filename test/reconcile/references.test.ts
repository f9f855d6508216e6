import { expect } from 'chai';
import { ReconcilerError } from '../../src/errors.ts';
import type { PassReport } from '../../src/report/pass-report.ts';
import { Desk, document, workflow } from './desk.ts';

const TEMPLATE = { spec: { template: true } };
const uses = (name: string, output: string, more: object = {}) =>
  document('Integration', name, { type: 'http', settings: { host: `\${ref:${output}}` }, ...more });

describe('A pass whose objects use outputs of each other', () => {
  let desk: Desk;
  beforeEach(() => {
    desk = new Desk();
  });
  afterEach(() => desk.close());

  const host = (name: string) => desk.driver.named('Integration', name).value['settings'];
  const problems = ({ problems: all }: PassReport) =>
    all.map(({ origin: { file, line, column }, message, remedy }) => `${file}:${line}:${column}: ${message} ${remedy}`);
  const withheld = ({ plan }: PassReport) =>
    plan?.withheld.map(({ change, code }) => `${change.verb} ${change.key}: ${code}`);

  it('puts in what git alone decides at once, after what it is of, and plans to nothing then', async () => {
    desk.write('a.yaml', uses('a', 'Workflow/z.hookUrl'));
    desk.write('z.yaml', workflow('z', 'orders'));
    desk.driver.beforeWrite = ({ change }) => {
      if (change.key === 'Integration/a') expect(desk.driver.titles('Workflow')).to.deep.equal(['z']);
    };
    expect((await desk.pass()).result).to.equal('applied');
    expect(desk.writes()).to.deep.equal(['create Workflow/z', 'create Integration/a']);
    expect(host('a')).to.deep.equal({ host: 'https://memory.test/orders' });
    expect((await desk.pass()).result).to.equal('in-sync');
    desk.restart();
    expect((await desk.pass()).result).to.equal('in-sync');
    expect(desk.writes()).to.deep.equal([]);
  });

  it('waits for an id that only the platform gives, says so, and goes on when it is there', async () => {
    desk.write('a.yaml', uses('a', 'Workflow/z.page'));
    desk.write('b.yaml', uses('b', 'Integration/a.host'));
    desk.write('z.yaml', workflow('z', 'orders'));
    const first = await desk.pass();
    expect(first.result).to.equal('withheld');
    expect(first.problems).to.deep.equal([]);
    expect(withheld(first)).to.have.members(['create Integration/a: dependency', 'create Integration/b: dependency']);
    expect(first.plan?.withheld[0]?.because).to.match(/^Integration\/a waits: Workflow\/z is not on the platform yet/);
    expect(desk.writes()).to.deep.equal(['create Workflow/z']);
    expect((await desk.pass()).result).to.equal('applied');
    const { remote } = desk.driver.named('Workflow', 'z');
    expect([host('a'), host('b')]).to.deep.equal(
      ['a', 'b'].map(() => ({ host: `https://memory.test/${remote}/edit` })),
    );
    desk.loseLedger();
    expect((await desk.pass()).result, 'unmarked connections are not taken over').to.equal('withheld');
    expect(desk.writes()).to.deep.equal(['create Integration/a', 'create Integration/b']);
  });

  it('follows a change in the same pass, of a commit too, and shows it in the plan', async () => {
    desk.write('a.yaml', uses('a', 'Workflow/z.hookUrl'));
    desk.write('b.yaml', document('Integration', 'b', { type: 'http', settings: {} }));
    desk.write('z.yaml', workflow('z', 'orders'));
    await desk.pass();
    desk.writes();
    desk.write('z.yaml', workflow('z', 'bookings'));
    const planned = await desk.pass({ mode: 'plan', memory: desk.memory });
    const change = planned.plan?.stages.flat().find(({ key }) => key === 'Integration/a');
    expect(change).to.deep.nested.include({
      'diff[0]': {
        path: '/settings/host',
        before: 'https://memory.test/orders',
        after: 'https://memory.test/bookings',
      },
      cause: 'changed',
    });
    desk.driver.looks.length = 0;
    expect((await desk.commit()).look).to.equal('commit');
    expect(desk.writes()).to.deep.equal(['update Workflow/z', 'update Integration/a']);
    expect(host('a')).to.deep.equal({ host: 'https://memory.test/bookings' });
    expect(desk.driver.looks.flatMap(({ only }) => only?.titles ?? ['all']))
      .to.not.include('b')
      .and.not.include('all');
  });

  it('is not ahead of a change that failed or is held back', async () => {
    desk.write('a.yaml', uses('a', 'Workflow/z.hookUrl'));
    desk.write('z.yaml', workflow('z', 'orders'));
    await desk.pass();
    desk.writes();
    desk.write('z.yaml', workflow('z', 'bookings'));
    desk.driver.refusals = [{ key: 'Workflow/z', because: 'no', remedy: 'none' }];
    expect(withheld(await desk.pass())).to.deep.equal([
      'update Workflow/z: refused-by-platform',
      'update Integration/a: dependency',
    ]);
    desk.driver.refusals = [];
    desk.driver.beforeWrite = ({ change }) => {
      if (change.key === 'Workflow/z') throw new ReconcilerError('no', 'backoff');
    };
    expect((await desk.pass()).outcomes.map(({ status, change }) => `${status} ${change.key}`)).to.deep.equal([
      'failed Workflow/z',
      'skipped Integration/a',
    ]);
    expect(host('a')).to.deep.equal({ host: 'https://memory.test/orders' });
    expect(desk.writes()).to.deep.equal([]);
  });

  it('keeps what waits, and what that still needs, although other things go', async () => {
    desk.write('a.yaml', uses('a', 'Workflow/z.hookUrl'));
    desk.write('z.yaml', workflow('z', 'orders'));
    desk.write('y.yaml', workflow('y', 'x'));
    await desk.pass();
    desk.writes();
    const others = {
      resolve: () => ({ state: 'waits', because: 'nobody knows yet', remedy: 'Wait.' }) as const,
      note: () => undefined,
      changed: () => true,
    };
    desk.write('a.yaml', uses('a', 'Workflow/far.hookUrl'));
    desk.delete('y.yaml');
    desk.delete('z.yaml');
    const report = await desk.pass({ others });
    expect(withheld(report)).to.have.members(['update Integration/a: dependency', 'delete Workflow/z: dependency']);
    expect(report.plan?.withheld[0]).to.include({
      because: 'Integration/a waits: nobody knows yet.',
      remedy: 'Wait.',
    });
    expect(desk.writes()).to.deep.equal(['delete Workflow/y']);
    expect(host('a')).to.deep.equal({ host: 'https://memory.test/orders' });
  });

  it('refuses what no object has, with its place, and leaves what refers to it as it is', async () => {
    desk.write('a.yaml', uses('a', 'Workflow/z.hookUrl'));
    desk.write('z.yaml', workflow('z', 'orders'));
    await desk.pass();
    desk.write('a.yaml', uses('a', 'Workflow/z.hookurl'));
    desk.write('b.yaml', uses('b', 'Workflow/nobody.hookUrl'));
    desk.write('c.yaml', uses('c', 'Application/z.id'));
    desk.write(
      'z.yaml',
      workflow('z', 'orders', { uses: [], spec: { definition: { step: 's', hooks: ['in', 'out'] } } }),
    );
    desk.write('d.yaml', uses('d', 'Workflow/z.hookUrl'));
    desk.write('e.yaml', uses('e', 'Workflow/z.hookUrl.ot'));
    const report = await desk.pass();
    const at = (file: string) => `${file}.yaml:1:138: `;
    expect(problems(report).map((text) => text.replace(/:1:\d+: /, ':1:138: '))).to.deep.equal([
      `${at('a')}"\${ref:Workflow/z.hookurl}": a Workflow has no output "hookurl". Did you mean "hookUrl"?`,
      `${at('b')}"\${ref:Workflow/nobody.hookUrl}": Integration/b refers to Workflow/nobody, which is not in the source. Add Workflow/nobody to the source, or correct the name.`,
      `${at('c')}"\${ref:Application/z.id}": Integration/c refers to Application/z, which is not in the source. Add Application/z to the source, or correct the name.`,
      `${at('d')}"\${ref:Workflow/z.hookUrl}": Workflow/z has several of "hookUrl". Name one of hookUrl.in, hookUrl.out.`,
      `${at('e')}"\${ref:Workflow/z.hookUrl.ot}": Workflow/z has no "hookUrl.ot" as it stands in git. Did you mean "hookUrl.out"?`,
    ]);
    expect(report.problems[0]?.origin.column).to.be.greaterThan(100);
    expect(host('a')).to.deep.equal({ host: 'https://memory.test/orders' });
    expect(desk.driver.titles('Integration')).to.deep.equal(['a']);
  });

  it('gives no output that holds a secret', async () => {
    desk.env['ORDERS_KEY'] = 'canary-of-orders';
    const secrets = { key: { valueFrom: { env: 'ORDERS_KEY' } } };
    desk.write(
      's.yaml',
      document('Integration', 's', { type: 'http', settings: { host: 'canary-of-orders' }, secrets }),
    );
    desk.write('a.yaml', uses('a', 'Integration/s.host'));
    await desk.pass();
    desk.restart();
    const report = await desk.pass();
    expect(problems(report)[0]).to.include('Integration/s has no "host"');
    expect(
      JSON.stringify(desk.ledger.view({ sync: 'orders', platform: 'memory' }).owned.get('Integration/s')),
    ).to.not.include('canary');
  });

  it('looks into definitions only where they are templates', async () => {
    desk.write('z.yaml', workflow('z', 'orders'));
    desk.write('a.yaml', workflow('a', 'call ${ref:Workflow/z.hookUrl}', TEMPLATE));
    desk.write('b.yaml', workflow('b', 'call ${ref:Workflow/z.hookUrl}'));
    desk.write('c.yaml', workflow('c', 'call $${ref:Workflow/z.hookUrl}', TEMPLATE));
    expect((await desk.pass()).problems).to.deep.equal([]);
    const step = (name: string) => desk.driver.named('Workflow', name).value['definition'];
    expect(step('a')).to.deep.equal({ step: 'call https://memory.test/orders' });
    expect(step('b')).to.deep.equal({ step: 'call ${ref:Workflow/z.hookUrl}' });
    expect(step('c')).to.deep.equal({ step: 'call ${ref:Workflow/z.hookUrl}' });
  });
});
