'use strict';

/**
 * Reads the nonce from the first line of standard input, and ends this process when the pipe breaks: whatever way Plumbline
 * went, killed included, its Node-RED goes too.
 */
function watchParent(onNonce) {
  let text = '';
  process.stdin.setEncoding('utf8');
  process.stdin.on('data', (chunk) => {
    if (text.length > 4096) return;
    text += chunk;
    const end = text.indexOf('\n');
    if (end > 0) onNonce(text.slice(0, end));
  });
  const leave = () => {
    // Node-RED closes its nodes on SIGTERM; should one of them hang, this process goes all the same.
    setTimeout(() => process.exit(1), 5000).unref();
    process.kill(process.pid, 'SIGTERM');
  };
  process.stdin.once('end', leave);
  process.stdin.once('error', leave);
  // A broken pipe for the log must not be what ends a flow half-way.
  process.stdout.on('error', () => undefined);
  process.stderr.on('error', () => undefined);
}

const LEVELS = { 10: 'fatal', 20: 'error', 30: 'warn', 40: 'info', 50: 'debug', 60: 'trace' };

/** A log handler of Node-RED: one JSON object a line, which Plumbline takes apart again. */
function logAsJson(entry) {
  const message = entry.msg instanceof Error ? entry.msg.message : (entry.msg?.message ?? String(entry.msg));
  const line = { level: LEVELS[entry.level] ?? 'info', message: String(message).trim() };
  if (line.message === '') return;
  for (const name of ['id', 'type', 'z', 'name']) if (typeof entry[name] === 'string') line[name] = entry[name];
  process.stdout.write(`${JSON.stringify({ 'node-red': line })}\n`);
}

module.exports = { watchParent, logAsJson };
