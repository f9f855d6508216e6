import { z } from 'zod';

const Line = z.object({
  'node-red': z.object({
    level: z.string(),
    message: z.string(),
    id: z.string().optional(),
    type: z.string().optional(),
    z: z.string().optional(),
    name: z.string().optional(),
  }),
});

/** One line of a hosted Node-RED's log; `id`, `type`, `z` and `name` when a node wrote it. */
export interface LogEntry {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly text: string;
  readonly id?: string | undefined;
  readonly type?: string | undefined;
  readonly z?: string | undefined;
  readonly name?: string | undefined;
}

/** A line of the add-on's log taken apart; anything else a node printed is text. */
export function parseLogLine(line: string): LogEntry {
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch {
    return { level: 'info', text: line.slice(0, 2000) };
  }
  const parsed = Line.safeParse(json);
  if (!parsed.success) return { level: 'info', text: line.slice(0, 2000) };
  const { level, message, ...node } = parsed.data['node-red'];
  const known =
    level === 'fatal' || level === 'error' ? 'error' : level === 'warn' ? 'warn' : level === 'info' ? 'info' : 'debug';
  return { level: known, text: message.slice(0, 2000), ...node };
}
