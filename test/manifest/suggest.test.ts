import { expect } from 'chai';
import { isSlip } from '../../src/manifest/suggest.ts';

describe('One slip between two names', () => {
  it('is a letter too many, missing, wrong or out of order, or the other case; nothing more, and nothing among short names', () => {
    for (const word of ['ordres', 'order', 'orderss', 'ordets', 'Orders', 'or_ders', 'rders'])
      expect(isSlip(word, 'orders'), word).to.equal(true);
    for (const word of ['borders_x', 'ord', 'redros', 'invoices', 'sredro', 'orde'])
      expect(isSlip(word, 'orders'), word).to.equal(false);
    expect(isSlip('tag', 'tags')).to.equal(false);
    expect(isSlip('posts', 'pages')).to.equal(false);
  });
});
