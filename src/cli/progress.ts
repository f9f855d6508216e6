import type { Context } from './context.ts';

/** How far long work has come: a bar on a terminal, a plain line now and then elsewhere. */
export interface Progress {
  step(): void;
  done(): void;
}

const WIDTH = 30;

export function progress(what: string, total: number, { environment }: Context): Progress {
  let count = 0;
  let shown = -1;
  const show = () => {
    const tenth = total === 0 ? 10 : Math.floor((count / total) * 10);
    const percent = total === 0 ? 100 : Math.floor((count / total) * 100);
    if (environment.terminal && percent !== shown) {
      const filled = Math.round((percent / 100) * WIDTH);
      process.stderr.write(`\r${what} [${'#'.repeat(filled)}${'.'.repeat(WIDTH - filled)}] ${count}/${total}`);
      shown = percent;
    } else if (!environment.terminal && tenth !== shown && total >= 100) {
      process.stderr.write(`${what}: ${count} of ${total}\n`);
      shown = tenth;
    }
  };
  return {
    step() {
      count += 1;
      show();
    },
    done() {
      if (environment.terminal && total > 0) process.stderr.write('\n');
    },
  };
}
