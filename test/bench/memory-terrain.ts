import { existsSync } from 'node:fs';
import { MemoryDriver, memoryFormat } from './memory-driver.ts';
import { MemoryPlatform } from './memory-platform.ts';
import { steps } from './terrain.ts';
import type { Terrain } from './terrain.ts';

/** The in-memory platform as the last process saved it to `file`; empty when none did. */
export function memoryTerrain(file: string): Terrain {
  const platform = existsSync(file) ? MemoryPlatform.load(file) : new MemoryPlatform();
  return {
    driver: new MemoryDriver(platform),
    format: memoryFormat,
    kinds: ['Workflow'],
    definition: (index, edition) => ({ steps: steps(index, edition) }),
    get bytesHere() {
      return platform.bytes;
    },
    begin: () => Promise.resolve(void platform.takeRequests()),
    end: () => {
      const requests = platform.takeRequests();
      return Promise.resolve({
        requests: requests.length,
        prepare: () => Promise.resolve(),
        send: () => Promise.resolve(platform.replay(requests)),
      });
    },
    save: () => platform.save(file),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}
