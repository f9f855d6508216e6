import { expect } from 'chai';
import { ReconcilerError } from '../../../src/errors.ts';
import { entryOf, injection } from '../../../src/drivers/node-red/entries.ts';
import { addressOf, isAdminPath } from '../../../src/drivers/node-red/entry-url.ts';
import { FlowSet, type RawNode } from '../../../src/drivers/node-red/raw.ts';
import type { JsonObject } from '../../../src/manifest/manifest.ts';
import { httpIn, inject, tab } from './trigger-flows.ts';

const correlation = '8c6f0f5e-6b1c-4f0e-9d1c-3d9f3f2a1b00';

function chosen(nodes: readonly RawNode[], entry?: string): string {
  const request = { remote: 't', input: {}, correlation, ...(entry === undefined ? {} : { entry }) };
  try {
    return entryOf(new FlowSet([withType(tab('t')), ...nodes]), request, 'test').node.id;
  } catch (error) {
    if (error instanceof ReconcilerError) return `${error.message} ${error.remedy ?? ''}`;
    throw error;
  }
}
const withType = (entry: JsonObject): RawNode => entry as RawNode;

describe('The entry of a tab', () => {
  const post = withType(httpIn('t', '/a'));
  const put = withType(httpIn('t', '/b', { method: 'put' }));
  const get = withType(httpIn('t', '/c', { method: 'get' }));
  const button = withType(inject('t'));

  it('is its only http in with post, before one with another method that has a body, before its only inject', () => {
    expect(chosen([post, put, get, button])).to.equal('t-in/a');
    expect(chosen([put, get, button])).to.equal('t-in/bput');
    expect(chosen([get, button])).to.equal('t-inject');
    expect(chosen([get])).to.contain('Add an inject node');
  });

  it('is never a node that is disabled, or has no url', () => {
    expect(chosen([withType(httpIn('t', '/x', { d: true })), button])).to.equal('t-inject');
    expect(chosen([withType(httpIn('t', '')), button])).to.equal('t-inject');
    expect(chosen([withType(inject('t', { name: 'Go', d: true }))], 'Go')).to.contain('is disabled');
  });

  it('is not guessed among nodes of one name', () => {
    const twice = ['/x', '/y'].map((url) => withType(httpIn('t', url, { name: 'Go' })));
    expect(chosen(twice, 'Go')).to.contain('2 of its nodes are named "Go"');
  });

  it('names at most ten to choose from', () => {
    const many = Array.from({ length: 12 }, (_, at) => withType(httpIn('t', `/n${at}`, { name: `Way ${at}` })));
    expect(chosen(many)).to.contain('"Way 9"').and.contain('and 2 more').and.not.contain('"Way 10"');
  });
});

describe('The message for an inject node', () => {
  const propsOf = (more: Parameters<typeof inject>[1]): unknown =>
    injection(withType(inject('t', more)), { a: 1 }, correlation)['__user_inject_props__'];

  it('keeps what a person set up, but neither its payload nor what is ours', () => {
    const props = [
      { p: 'payload' },
      { p: 'payload.a', v: '2', vt: 'num' },
      { p: 'plumbline', v: '', vt: 'str' },
      { p: 'kind', v: 'x', vt: 'str' },
    ];
    expect(propsOf({ props })).to.deep.equal([{ p: 'kind', v: 'x', vt: 'str' }]);
  });

  it('sets the topic of old inject nodes, which have it beside their properties', () => {
    const topic = [{ p: 'topic', vt: 'str', v: 'old' }];
    expect(propsOf({ props: null, topic: 'old' })).to.deep.equal(topic);
    expect(propsOf({ props: [{ p: 'topic', vt: 'str' }], topic: 'old' })).to.deep.equal(topic);
  });
});

describe('The address of an endpoint', () => {
  it('is the url with its parameters filled, and nothing else changed', () => {
    expect(addressOf('orders', {})).to.deep.equal({ path: '/orders' });
    expect(addressOf('/a@b/:id.json/', { id: '../x?y#z' })).to.deep.equal({ path: '/a@b/..%2Fx%3Fy%23z.json/' });
  });

  it('is not guessed for patterns and variables, nor from inherited fields', () => {
    for (const url of ['/a*', '/a?', '/:id(\\d+)', '${ROOT}/a', '/a#b', '/:toString', '/:id']) {
      expect(addressOf(url, { id: null }), url).to.have.property('because');
    }
  });

  it('is refused below the root of the admin API where that has a route, however it is written', () => {
    expect(isAdminPath('/Flows', '')).to.equal(true);
    expect(isAdminPath('/admin/flow/7', '/ADMIN')).to.equal(true);
    expect(isAdminPath('/flows', '/admin')).to.equal(false);
    expect(isAdminPath('/flowsheets', '')).to.equal(false);
  });
});
