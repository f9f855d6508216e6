// A daemon in miniature: it has a plugin's process warm, sets it to work, tells its id and waits to be killed.
import { PluginPool } from '../../src/plugins/plugin-pool.ts';

const [folder = '', baseDir = '', work = ''] = process.argv.slice(2);
const pool = new PluginPool({
  place: { name: 'orphan', folder, entry: 'index.js', baseDir },
  limits: { timeout: 60_000, memory: 64, output: 64 },
  processes: 1,
  redact: (text) => text,
  onLine: () => undefined,
});
const { signal } = new AbortController();
await pool.execute({}, 'context', signal);
void pool.execute({ work }, 'context', signal).catch(() => undefined);
process.stdout.write(`${pool.pids.join(' ')}\n`);
setInterval(() => undefined, 1000);
