import { MemoryDriver, memoryFormat } from './memory-driver.ts';
import { MemoryPlatform } from './memory-platform.ts';
import type { Definition } from './repository.ts';
import { steps } from './terrain.ts';
import type { Terrain } from './terrain.ts';

export const memoryDefinition: Definition = (index, edition) => ({ steps: steps(index, edition) });

/** The in-memory platform as an earlier process left it in `file`; empty when none did. */
export function memoryTerrain(file: string): Terrain {
  const platform = new MemoryPlatform(file);
  return {
    driver: new MemoryDriver(platform),
    format: memoryFormat,
    kinds: ['Workflow'],
    definition: memoryDefinition,
    begin: () => Promise.resolve(void platform.takeRequests()),
    end: () => {
      const requests = platform.takeRequests();
      return Promise.resolve({
        requests: requests.length,
        prepare: () => Promise.resolve(),
        send: () => Promise.resolve(platform.replay(requests)),
      });
    },
    save: () => platform.save(),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}
