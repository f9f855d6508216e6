/** Columns as wide as their widest cell, two spaces apart, as kubectl prints them. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...lines.map((line) => width(line[column] ?? ''))));
  return lines
    .map((line) =>
      line
        .map((cell, column) => cell + ' '.repeat((widths[column] ?? 0) - width(cell)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** Characters on a terminal; colour codes take no room. */
function width(cell: string): number {
  // eslint-disable-next-line no-control-regex
  return cell.replaceAll(/\u001B\[[0-9;]*m/g, '').length;
}

/** A moment (milliseconds since 1970, or RFC 3339) to the second, in UTC. */
export function when(time: number | string | undefined): string {
  return time === undefined ? '' : new Date(time).toISOString().replace(/\.\d+Z$/, 'Z');
}

/** How long ago, in the largest unit that says something: `12s`, `5m`, `3h`, `8d`. */
export function ago(time: number | string | undefined, now: number): string {
  if (time === undefined) return 'never';
  const seconds = Math.max(0, Math.round((now - new Date(time).getTime()) / 1000));
  if (seconds < 120) return `${seconds}s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)}m`;
  return seconds < 172_800 ? `${Math.round(seconds / 3600)}h` : `${Math.round(seconds / 86_400)}d`;
}
