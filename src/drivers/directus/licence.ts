import { ReconcilerError } from '../../errors.ts';
import type { DirectusClient } from './client.ts';
import { objectOf, textOf } from './json.ts';

/** What a licence of Directus 12 includes; absent bounds are none. */
export interface Licence {
  readonly name: string;
  /** Flows that may be active at once, and how many are. */
  readonly flows?: { readonly limit: number; readonly used: number };
  /** People with access to the app. */
  readonly seats?: { readonly limit: number; readonly used: number };
  /** Whether permissions may have conditions, presets and lists of fields. */
  readonly customRules: boolean;
}

/** The server's licence; undefined before version 12, which has none. */
export async function licenceOf(client: DirectusClient, signal: AbortSignal): Promise<Licence | undefined> {
  try {
    const data = await client.get('/license', {}, signal);
    const entitlements = objectOf(data['entitlements']);
    const usage = objectOf(data['usage']);
    const bound = (name: string): { limit: number; used: number } | undefined => {
      const limit = objectOf(entitlements[name])['limit'];
      const used = usage[name];
      // A negative bound stands for none.
      if (typeof limit !== 'number' || limit < 0) return undefined;
      return { limit, used: typeof used === 'number' ? used : 0 };
    };
    const flows = bound('flows');
    const seats = bound('seats');
    return {
      name: textOf(data['name']) ?? 'unknown',
      ...(flows === undefined ? {} : { flows }),
      ...(seats === undefined ? {} : { seats }),
      customRules: objectOf(entitlements['custom_permission_rules_enabled'])['default'] !== false,
    };
  } catch (error) {
    if (error instanceof ReconcilerError && (error.code === 'no-route' || error.code === 'forbidden')) return undefined;
    throw error;
  }
}
