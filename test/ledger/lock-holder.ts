// A process of its own for the lock tests: takes the lock, says so, and holds it until it is killed. It refers to the
// lock no more by then, and collects garbage first: a lock must not depend on being referred to.
import { StateLock } from '../../src/ledger/lock.ts';

const [directory = '', startedAt = '0'] = process.argv.slice(2);
function hold(): void {
  const lock = StateLock.acquire(directory, {
    pid: process.pid,
    startedAt: Number(startedAt),
  });
  lock.announce({ listen: '127.0.0.1:8480' });
}

hold();
setImmediate(() => {
  globalThis.gc?.();
  setImmediate(() => process.stdout.write('held\n'));
});
process.stdin.resume();
