import { Writable } from 'node:stream';
import { expect } from 'chai';
import { ReconcilerError } from '../../src/errors.ts';
import { createLog } from '../../src/report/log.ts';
import type { Log, LogFormat, LogLevel } from '../../src/report/log.ts';
import { SecretStore } from '../../src/secrets/store.ts';

const CANARY = 'canary-4711"\\value';

function logTo(
  format: LogFormat,
  level: LogLevel = 'debug',
): { readonly log: Log; readonly lines: () => readonly string[] } {
  const secrets = new SecretStore({ env: {}, hashKey: new Uint8Array(32) });
  secrets.hold(CANARY);
  let text = '';
  const stream = new Writable({ write: (chunk: Buffer, _, done) => ((text += chunk.toString()), done()) });
  const log = createLog({ level, format, redact: (one) => secrets.redact(one), stream });
  return { log, lines: () => text.split('\n').filter((line) => line !== '') };
}

describe('log', () => {
  for (const format of ['json', 'pretty'] as const) {
    it(`lets no secret out as ${format}, wherever in an entry it stands`, async () => {
      const { log, lines } = logTo(format);
      const cause = new Error(`cause ${CANARY}`);
      const error = new ReconcilerError(`message ${CANARY}`, 'never', { cause, remedy: `remedy ${CANARY}` });
      log.with({ own: CANARY }).error(`message ${CANARY}`, {
        text: CANARY,
        nested: { deep: [{ list: [CANARY] }] },
        map: new Map([['name', CANARY]]),
        error,
        foreign: new TypeError(CANARY),
        [`field ${CANARY}`]: 1,
        inner: { [CANARY]: 1 },
        json: JSON.stringify({ value: CANARY }),
        url: `https://x/?v=${encodeURIComponent(CANARY)}`,
        password: 'never seen before',
      });
      const [line = ''] = lines();
      expect(lines()).to.have.length(1);
      for (const form of [CANARY, 'canary-4711', 'never seen before']) expect(line).not.to.include(form);
      expect(line).to.include('remedy');
      expect(line).to.include('TypeError');
    });
  }

  it('writes one JSON object per line with time, level, message and fields', () => {
    const { log, lines } = logTo('json');
    log.with({ sync: 'orders' }).warn('drift found', { key: 'Workflow/a', count: 2, paths: ['/a'], none: undefined });
    const entry: unknown = JSON.parse(lines()[0] ?? '');
    expect(entry).to.deep.include({
      level: 'warn',
      message: 'drift found',
      sync: 'orders',
      key: 'Workflow/a',
      count: 2,
      paths: ['/a'],
    });
    expect(entry)
      .to.have.property('time')
      .that.matches(/^\d{4}-\d\d-\d\dT/);
  });

  it('writes only what its level asks for', () => {
    const { log, lines } = logTo('json', 'warn');
    for (const level of ['error', 'warn', 'info', 'debug'] as const) log[level](level);
    expect(lines().map((line) => (JSON.parse(line) as { message: string }).message)).to.deep.equal(['error', 'warn']);
  });

  it('gives nobody a way to forge an entry or to steer a terminal', () => {
    const { log, lines } = logTo('pretty');
    log.info('change applied', { key: 'Workflow/a\n12:00:00 ERROR forged', title: '\u001b[2J\u009b31m' });
    expect(lines()).to.have.length(1);
    expect(lines()[0]).not.to.match(/\p{Cc}/u);
  });

  it('cuts what is endless, and cuts no secret in two', () => {
    const { log, lines } = logTo('json');
    log.info('change applied', {
      text: `${'x'.repeat(3990)}${CANARY}`,
      list: Array.from({ length: 5000 }, () => 'item'),
    });
    expect(lines()[0]?.length).to.be.below(8000);
    expect(lines()[0]).not.to.include('canary');
  });
});
