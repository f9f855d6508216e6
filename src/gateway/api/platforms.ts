import type { Driver } from '../../drivers/driver.ts';

/** The configured platforms. */
export interface ConnectedPlatforms {
  names(): readonly string[];
  /** @throws ReconcilerError when it is not configured or cannot be reached */
  driver(name: string, signal: AbortSignal): Promise<Pick<Driver, 'name' | 'trigger' | 'execution'>>;
}
