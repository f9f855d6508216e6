import { expect } from 'chai';
import { SentStatuses } from '../../src/daemon/cluster/sent-statuses.ts';

describe('statuses that were sent', () => {
  it('are kept until the watch has shown them, and no longer, whether it is slower than the answer or quicker', () => {
    const sent = new SentStatuses();
    const slow = sent.begin('slow', 'one', '7');
    slow.answered('8');
    expect(sent.textOf('slow'), 'answered, not shown').to.equal('one');
    sent.seen('slow', '7', false);
    expect(sent.textOf('slow'), 'shown as it was before').to.equal('one');
    sent.seen('slow', '8', false);
    expect(sent.textOf('slow'), 'shown').to.equal(undefined);

    const quick = sent.begin('quick', 'two', '7');
    sent.seen('quick', '8', false);
    expect(sent.textOf('quick'), 'it is not known yet whose version 8 is').to.equal('two');
    quick.answered('8');
    expect(sent.textOf('quick'), 'answered').to.equal(undefined);
  });

  it('stay while only somebody else’s write was shown before the answer', () => {
    const sent = new SentStatuses();
    const write = sent.begin('a', 'one', '7');
    sent.seen('a', '8', false);
    write.answered('9');
    expect(sent.textOf('a')).to.equal('one');
    expect(sent.baseOf('a', '8'), 'the next write is based on ours').to.equal('9');
    sent.seen('a', '9', false);
    expect(sent.textOf('a')).to.equal(undefined);
    expect(sent.baseOf('a', '9')).to.equal('9');
  });

  it('keep the newer of two when the older one is answered late, and go with their object', () => {
    const sent = new SentStatuses();
    const older = sent.begin('a', 'one', '7');
    sent.seen('a', '8', false);
    sent.begin('a', 'two', '8');
    older.answered('8');
    expect(sent.textOf('a')).to.equal('two');
    sent.seen('a', undefined, true);
    expect(sent.textOf('a')).to.equal(undefined);
  });
});
