import { expect } from 'chai';
import { load, specOf, told, yaml } from './loading.ts';

const webhook = (fields: string): string => yaml('Webhook', 'w', `spec: {event: order.created, ${fields}}`);

describe('a Webhook', () => {
  it('is read with its defaults; its secret apart from the content, which says only whether there is one', async () => {
    const desired = await load({
      'a.yaml': [
        yaml('Webhook', 'bare', 'spec: {event: "reconcile.*", url: "https://a.example/räume?x=1"}'),
        yaml(
          'Webhook',
          'signed',
          'spec: {title: Über, event: "*", url: "https://a.example", active: false, secret: {valueFrom: {env: HOOK}}}',
        ),
      ].join('---\n'),
    });
    expect(told(desired)).to.deep.equal([]);
    expect(await specOf(desired, 'Webhook/bare')).to.deep.equal({
      title: 'bare',
      event: 'reconcile.*',
      url: 'https://a.example/räume?x=1',
      active: true,
      signed: false,
    });
    expect(await specOf(desired, 'Webhook/signed')).to.deep.equal({
      title: 'Über',
      event: '*',
      url: 'https://a.example',
      active: false,
      signed: true,
    });
    expect(desired.manifests.get('Webhook/bare')?.secrets).to.deep.equal({});
    expect(desired.manifests.get('Webhook/signed')?.secrets).to.deep.equal({ secret: { env: 'HOOK' } });
    expect(desired.manifests.get('Webhook/signed')?.dependsOn).to.deep.equal([]);
  });

  it('may refer only to secrets that the Sync allows, and says where it does not', async () => {
    const text = webhook('url: "https://a.example", secret: {valueFrom: {env: PLUMBLINE_TOKEN}}');
    const desired = await load({ 'a.yaml': text }, { secretScope: { kind: 'source', env: ['ORDERS_*'] } });
    expect(told(desired).join('\n')).to.match(/^a\.yaml:4:\d+: error: .*PLUMBLINE_TOKEN/);
    expect(desired.manifests.size).to.equal(0);
  });

  it('goes to an http or https address without credentials and fragment, and nowhere else', async () => {
    for (const url of [
      'ftp://a.example/',
      'file:///etc/passwd',
      'javascript:alert(1)',
      'a.example/hook',
      '/hook',
      '',
      'https://',
      'https://user@a.example/',
      'https://:pw@a.example/',
      'https://a.example/#',
      'https://a.example/hook#part',
    ]) {
      const problems = told(await load({ 'a.yaml': webhook(`url: ${JSON.stringify(url)}`) }));
      expect(problems, url).to.have.length(1);
      expect(problems[0], url).to.match(/^a\.yaml:4:\d+: error: spec\.url is not an http or https URL/);
    }
  });

  it('warns of plain http to another machine, and still takes it', async () => {
    const read = async (url: string) => load({ 'a.yaml': webhook(`url: "${url}"`) });
    for (const url of ['http://a.example/', 'http://10.0.0.7/', 'http://localhost.example/', 'HTTP://127.example/']) {
      const desired = await read(url);
      expect(told(desired), url).to.deep.equal([
        'a.yaml:4:30: warning: spec.url is plain http to another machine: deliveries can be read and changed on their way. Use https.',
      ]);
      expect(desired.manifests.has('Webhook/w')).to.equal(true);
    }
    for (const url of [
      'https://a.example/',
      'http://localhost:8080/',
      'http://127.0.0.1/',
      'http://[::1]:1/',
      'http://a.localhost',
    ])
      expect(told(await read(url)), url).to.deep.equal([]);
  });

  it('hears events by type or pattern', async () => {
    for (const event of ['order.created', 'order.*', '*', 'a-b_c.d9'])
      expect(
        told(await load({ 'a.yaml': webhook(`url: "https://a.example"`).replace('order.created', `"${event}"`) })),
        event,
      ).to.deep.equal([]);
    for (const event of ['', '.', 'Order.created', 'order.', '*.created', 'order.**', 'a b'])
      expect(
        told(await load({ 'a.yaml': webhook(`url: "https://a.example"`).replace('order.created', `"${event}"`) }))[0],
        event,
      ).to.match(/spec\.event is not an event type/);
  });
});
