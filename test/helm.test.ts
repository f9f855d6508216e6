import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { parse } from 'yaml';
import { VARIABLES } from '../src/cli/environment.ts';
import { version } from '../src/cli/version.ts';
import { rulesOf } from '../src/monitor/rules/rules.ts';
import { Metrics } from '../src/report/metrics.ts';
import { definitionFiles } from './crds/definitions.ts';
import { permissionsFile } from './docs/permissions.ts';
import { alertsFile } from './docs/alerts.ts';
import { CHART, chartSchema, chartValues, withValues } from './docs/chart.ts';

interface Alert {
  readonly alert: string;
  readonly expr: string;
  readonly annotations: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
}

const read = (path: string): string => readFileSync(new URL(path, CHART), 'utf8');
const TEMPLATES = readdirSync(new URL('templates/', CHART)).map((name) => ({ name, text: read(`templates/${name}`) }));

/** What needs no helm; the rest is in test/kubernetes/chart-*.kube.ts. */
describe('the chart', () => {
  it('has the table and the schema that its values have ("npm run docs" writes them)', () => {
    expect(read('README.md')).to.equal(withValues(read('README.md')));
    expect(read('values.schema.json')).to.equal(chartSchema());
  });

  it('brings the definitions along that follow from the schemas ("npm run generate" writes them)', () => {
    const names = readdirSync(new URL('generated/crds/', CHART));
    expect(names).to.have.members([...definitionFiles().keys()]);
    for (const [name, text] of definitionFiles()) expect(read(`generated/crds/${name}`), name).to.equal(text);
  });

  it('grants what the daemon declares that it needs ("npm run generate" writes it)', () => {
    expect(read('generated/permissions.yaml')).to.equal(permissionsFile());
  });

  it('alerts on Plumbline itself as "plumbline rules" does ("npm run generate" writes it)', () => {
    expect(read('generated/alerts.yaml')).to.equal(alertsFile());
    const [group] = rulesOf([]);
    const own = parse(read('generated/alerts.yaml')) as readonly Alert[];
    const strip = (expr: string): string => expr.replaceAll('SCOPE, ', '').replaceAll('{SCOPE}', '');
    expect(own.map((alert) => ({ ...alert, expr: strip(alert.expr) }))).to.deep.equal(group?.rules);
  });

  it('says of a value that has no documentation which one it is', () => {
    expect(() => chartValues('a:\n  # -- Said.\n  b: 1\n  c: 2\n')).to.throw('a.c');
    expect(chartValues('a:\n  # -- Said.\n  b: 1\n')).to.deep.equal([
      { path: ['a', 'b'], fallback: 1, description: 'Said.', schema: {} },
    ]);
  });

  it('uses every value, and no other', () => {
    const all = TEMPLATES.map(({ text }) => text).join('\n');
    const unused = chartValues().filter(({ path }) => {
      const [section = '', ...rest] = path;
      // Handed over as a whole, or inside of "with .Values.section".
      return (
        !all.includes(`.Values.${path.join('.')}`) &&
        !(all.includes(`.Values.${section}`) && section.endsWith('Probe')) &&
        !(all.includes(`with .Values.${section} `) && all.includes(`.${rest.join('.')}`))
      );
    });
    expect(unused.map(({ path }) => path.join('.'))).to.deep.equal([]);
    const roots = new Set(chartValues().flatMap(({ path }) => path.map((_, end) => path.slice(0, end + 1).join('.'))));
    const named = [...all.matchAll(/\.Values\.([A-Za-z]+(?:\.[A-Za-z]+)*)/g)].map(([, path = '']) => path);
    expect(named.filter((path) => !roots.has(path))).to.deep.equal([]);
  });

  it('is of the version of the program', () => {
    const chart = parse(read('Chart.yaml')) as { readonly version: string; readonly appVersion: string };
    expect(chart).to.include({ appVersion: version(), version: version() });
  });

  it('sets no variable that the program does not know', () => {
    const all = TEMPLATES.map(({ text }) => text).join('\n');
    const set = new Set([...all.matchAll(/\bPLUMBLINE_[A-Z_]+/g)].map(([name]) => name));
    expect(set).to.include('PLUMBLINE_CONFIG');
    expect([...set].filter((name) => !(Object.values(VARIABLES) as readonly string[]).includes(name))).to.deep.equal(
      [],
    );
  });

  it('alerts on metrics that exist, with labels that they have, and says what to do', () => {
    const metrics = new Map(new Metrics({ version: '0' }).describe().map(({ name, labels }) => [name, labels]));
    const alerts = parse(read('generated/alerts.yaml')) as readonly Alert[];
    expect(alerts).to.not.have.lengthOf(0);
    for (const { alert, expr, annotations, labels } of alerts) {
      const used = [...expr.matchAll(/(plumbline_[a-z_]+)\{SCOPE(?:, (\w+)=~?"[^"]*")?\}/g)];
      expect(used, alert).to.not.have.lengthOf(0);
      expect([...expr.matchAll(/plumbline_/g)], `${alert} without SCOPE`).to.have.lengthOf(used.length);
      const known = used.flatMap(([, name = '', label]) => {
        expect(metrics.has(name), `${alert}: ${name}`).to.equal(true);
        if (label !== undefined) expect(metrics.get(name), `${alert}: ${name}`).to.include(label);
        return metrics.get(name) ?? [];
      });
      for (const [, label] of Object.values(annotations)
        .join(' ')
        .matchAll(/\$labels\.(\w+)/g))
        expect(known, alert).to.include(label);
      expect(labels['severity'], alert).to.be.oneOf(['page', 'ticket']);
      expect(Object.keys(annotations), alert).to.have.members(['summary', 'description']);
    }
  });

  it('stands alone: nothing that it reads lies outside of its folder', () => {
    const files = TEMPLATES.flatMap(({ text }) => [...text.matchAll(/\.Files\.Get "([^"]+)"/g)]);
    for (const [, path = ''] of files) expect(existsSync(fileURLToPath(new URL(path, CHART))), path).to.equal(true);
  });
});
