// A process of its own for the lock tests: takes the lock, says so, and holds it until it is killed.
import { StateLock } from '../../src/ledger/lock.ts';

const [directory = '', startedAt = '0'] = process.argv.slice(2);
const lock = StateLock.acquire(directory, { pid: process.pid, startedAt: Number(startedAt) });
lock.announce({ listen: '127.0.0.1:8480' });
process.stdout.write('held\n');
process.stdin.resume();
