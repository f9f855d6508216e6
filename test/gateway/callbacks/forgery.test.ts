import { expect } from 'chai';
import { allowedOf, refusalOfAddress } from '../../../src/gateway/callbacks/addresses.ts';
import { systemResolver } from '../../../src/gateway/callbacks/resolver.ts';
import { event } from '../../ledger/bus-samples.ts';
import { CallbackOffice, failureOf } from './office.ts';
import { Receiver } from './receiver.ts';

/** Addresses that a stranger must not reach through us, by what they are. */
const FORBIDDEN: Readonly<Record<string, readonly string[]>> = {
  loopback: ['127.0.0.1', '127.255.255.254', '::1'],
  unspecified: ['0.0.0.0', '::'],
  private: ['10.0.0.1', '172.16.0.1', '172.31.255.255', '192.168.1.1', 'fc00::1', 'fdff::1'],
  'link-local': ['169.254.1.1', 'fe80::1'],
  metadata: ['169.254.169.254', 'fd00:ec2::254', '100.100.100.200', '168.63.129.16'],
  'carrier-grade NAT': ['100.64.0.1', '100.127.255.255'],
  multicast: ['224.0.0.1', '239.255.255.255', 'ff02::1'],
  'broadcast and reserved': ['255.255.255.255', '240.0.0.1', '192.0.0.1', '192.0.2.1', '198.18.0.1', '203.0.113.1'],
  'IPv4 in IPv6': ['::ffff:127.0.0.1', '::ffff:8.8.8.8', '::127.0.0.1', '::ffff:0:127.0.0.1'],
  'translated and tunnelled': ['64:ff9b::7f00:1', '64:ff9b:1::7f00:1', '2002:7f00:1::', '2001::7f00:1'],
  'out of use': ['fec0::1', '2001:db8::1', '100::1', '3fff::1', '4000::1'],
};

/** Ways to write an address of ours in a URL. */
const LITERALS: readonly string[] = [
  'http://127.0.0.1/',
  'http://127.1/',
  'http://0/',
  'http://2130706433/',
  'http://0177.0.0.1/',
  'http://0x7f.0.0.1/',
  'http://0x7f000001/',
  'http://127.0.0.1./',
  'http://①②⑦.⓪.⓪.①/',
  'http://%31%32%37.0.0.1/',
  'http://[::1]/',
  'http://[0:0:0:0:0:0:0:1]/',
  'http://[::ffff:127.0.0.1]/',
  'http://[::ffff:7f00:1]/',
  'http://[64:ff9b::127.0.0.1]/',
  'http://169.254.169.254/latest/meta-data/',
  'http://[fd00:ec2::254]/',
];

describe('A callback that is to reach what it must not', () => {
  for (const [what, addresses] of Object.entries(FORBIDDEN)) {
    it(`is refused for good when its name leads to an address that is ${what}`, async () => {
      await using office = new CallbackOffice();
      office.allow.set('automation', []);
      for (const address of addresses) {
        office.answers.splice(0, Infinity, [address]);
        const error = await failureOf(office.deliver('http://innocent.example/', event('a')));
        expect(error, address).to.include({ code: 'callback-refused', retry: 'never' });
        expect(error.remedy).to.include('webhooks.allow');
      }
    });
  }

  it('is refused however the address is written in the URL', async () => {
    await using office = new CallbackOffice();
    office.allow.set('automation', []);
    for (const url of LITERALS) {
      expect(await failureOf(office.deliver(url, event('a'))), url).to.include({
        code: 'callback-refused',
        retry: 'never',
      });
    }
    expect(office.asked, 'no name server is asked for what is an address').to.deep.equal([]);
  });

  it('is refused when one of several addresses is not public', async () => {
    await using office = new CallbackOffice();
    await using receiver = await Receiver.start();
    office.answers.push(['127.0.0.1', '10.0.0.1']);
    const error = await failureOf(office.deliver(`http://innocent.example:${receiver.port}/`, event('a')));
    expect(error).to.include({ code: 'callback-refused' });
    expect(receiver.connections).to.equal(0);
  });

  it('is refused when it is neither http nor https, or brings credentials', async () => {
    await using office = new CallbackOffice();
    for (const url of ['ftp://127.0.0.1/', 'file:///etc/passwd', 'http://a:b@127.0.0.1/', 'nonsense']) {
      expect(await failureOf(office.deliver(url, event('a'))), url).to.include({
        code: 'callback-refused',
        retry: 'never',
      });
    }
  });

  it('goes to the address that was judged, though its name leads elsewhere a moment later', async () => {
    await using office = new CallbackOffice();
    await using judged = await Receiver.start('127.0.0.2');
    await using inner = await Receiver.start('127.0.0.1', judged.port);
    office.allow.set('automation', ['127.0.0.2']);
    office.answers.push(['127.0.0.2'], ['127.0.0.1']);
    const url = `http://rebinding.example:${judged.port}/`;
    await office.deliver(url, event('a'));
    expect(office.asked, 'it is resolved once').to.have.lengthOf(1);
    expect(judged.received[0]?.headers.host, 'and the name is told').to.equal(`rebinding.example:${judged.port}`);
    judged.hangUp();
    await closed(judged);
    const error = await failureOf(office.deliver(url, event('b')));
    expect(error).to.include({ code: 'callback-refused', retry: 'never' });
    expect([judged.received.length, inner.connections]).to.deep.equal([1, 0]);
  });

  it('does not follow a redirect, wherever it leads', async () => {
    await using office = new CallbackOffice();
    await using outer = await Receiver.start();
    await using inner = await Receiver.start('127.0.0.2');
    for (const status of [301, 302, 303, 307, 308]) {
      outer.answer = (response) => response.writeHead(status, { location: inner.url('/secret') }).end();
      const error = await failureOf(office.deliver(outer.url(), event('a')));
      expect(error.message).to.include(`${status}: redirects are not followed`).and.not.include('secret');
    }
    expect(inner.connections).to.equal(0);
  });

  it('does not profit from a connection that was allowed before, or is to another platform', async () => {
    await using office = new CallbackOffice();
    await using receiver = await Receiver.start();
    await office.deliver(receiver.url(), event('a'));
    office.allow.set('other', []);
    const other = office.register(receiver.url(), { platform: 'other' });
    const asOther = office.handler(other).handle(event('a', { platform: 'other' }), new AbortController().signal);
    expect(await failureOf(asOther)).to.include({ code: 'callback-refused' });
    const name = `http://inner.example:${receiver.port}/`;
    office.answers.push(['127.0.0.1']);
    await office.deliver(name, event('b'));
    office.allow.set('automation', []);
    expect(await failureOf(office.deliver(name, event('c')))).to.include({ code: 'callback-refused' });
    expect(receiver.received).to.have.lengthOf(2);
  });

  it('does not go through a proxy of the environment', async () => {
    await using office = new CallbackOffice();
    await using receiver = await Receiver.start();
    await using proxy = await Receiver.start();
    const names = ['HTTP_PROXY', 'http_proxy', 'ALL_PROXY', 'NODE_USE_ENV_PROXY'];
    const before = names.map((name) => [name, process.env[name]] as const);
    for (const name of names) process.env[name] = name.startsWith('NODE') ? '1' : proxy.url('');
    try {
      await office.deliver(receiver.url(), event('a'));
    } finally {
      for (const [name, value] of before) {
        if (value === undefined) delete process.env[name];
        else process.env[name] = value;
      }
    }
    expect([receiver.received.length, proxy.connections]).to.deep.equal([1, 0]);
  });
});

describe('What a platform allows', () => {
  const judge = (address: string, host: string, ...allow: readonly string[]): string | undefined =>
    refusalOfAddress(address, host, allowedOf(allow));

  it('opens what it names, be it a network, an address or a host, and nothing beside it', () => {
    expect(judge('10.2.3.4', 'a.example', '10.2.0.0/16')).to.equal(undefined);
    expect(judge('10.3.3.4', 'a.example', '10.2.0.0/16')).to.include('private');
    expect(judge('fd12::5', 'a.example', 'fd12::/16')).to.equal(undefined);
    expect(judge('192.168.1.1', 'a.example', '192.168.1.1')).to.equal(undefined);
    expect(judge('192.168.1.2', 'a.example', '192.168.1.1')).to.include('private');
    expect(judge('::1', '::1', '[::1]')).to.equal(undefined);
    expect(judge('10.1.1.1', 'Hooks.Inner.', 'hooks.inner')).to.equal(undefined);
    expect(judge('10.1.1.1', 'evil.hooks.inner', 'hooks.inner')).to.include('private');
    expect(judge('8.8.8.8', 'a.example')).to.equal(undefined);
    expect(judge('2606:4700::1111', 'a.example')).to.equal(undefined);
    expect(judge('not an address', 'a.example', '0.0.0.0/0')).to.include('no address');
  });

  it('opens a metadata service only when it names that very address', () => {
    expect(judge('169.254.169.254', 'a', '0.0.0.0/0', '169.254.0.0/16', 'a')).to.include('metadata');
    expect(judge('169.254.169.254', 'a', '169.254.169.254')).to.equal(undefined);
    expect(judge('fd00:0ec2:0::254', 'a', '::/0')).to.include('metadata');
    expect(judge('::ffff:169.254.169.254', 'a', '::/0', 'a')).to.include('metadata');
  });
});

describe("The system's resolver", () => {
  it('finds what only the system knows, and fails for what nobody does', async () => {
    const resolve = systemResolver();
    const found = await resolve('localhost');
    expect(found.map(({ address }) => address)).to.include.oneOf(['127.0.0.1', '::1']);
    const error = await resolve('nobody.invalid').then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(error).to.be.instanceOf(Error);
  });
});

/** Waits until a client has seen that a server hung up: a new connection has to be made. */
async function closed(server: Receiver): Promise<void> {
  const deadline = performance.now() + 10_000;
  const open = async (): Promise<number> => await server.open();
  while ((await open()) > 0 && performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 5));
}
