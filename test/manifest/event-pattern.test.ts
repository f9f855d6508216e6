import { expect } from 'chai';
import { matchesEvent } from '../../src/manifest/event-pattern.ts';

describe('an event pattern', () => {
  const cases: readonly [pattern: string, type: string, meant: boolean][] = [
    ['order.created', 'order.created', true],
    ['order.created', 'order.created.late', false],
    ['order.created', 'order', false],
    ['order.created', 'Order.created', false],
    ['order.*', 'order.created', true],
    ['order.*', 'order.item.added', true],
    ['order.*', 'order', false],
    ['order.*', 'order.', false],
    ['order.*', 'orders.created', false],
    ['order.item.*', 'order.created', false],
    ['*', 'order', true],
    ['*', 'order.created', true],
    ['*', '', false],
  ];
  for (const [pattern, type, meant] of cases) {
    it(`${pattern} ${meant ? 'means' : 'does not mean'} "${type}"`, () => {
      expect(matchesEvent(pattern, type)).to.equal(meant);
    });
  }
});
