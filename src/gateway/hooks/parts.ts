import type { GatewayReports } from '../../report/gateway-report.ts';
import type { Log } from '../../report/log.ts';
import type { SecretValue } from '../../secrets/secrets.ts';
import type { Intake, LookAgain } from '../parts.ts';
import type { GitProvider } from './providers.ts';

/** How the pushes of a Sync's repository are signed. */
export interface SyncHook {
  readonly provider: GitProvider;
  secret(): Promise<SecretValue>;
}

/** How a platform signs its events. */
export interface PlatformEvents {
  readonly scheme: 'standard-webhooks' | 'hmac-sha256' | 'bearer';
  /** Name of the header of `hmac-sha256`, in any case. */
  readonly header: string;
  /** Patterns of event types (`matchesEvent`) after which the platform is looked at. */
  readonly lookAgain: readonly string[];
  secret(): Promise<SecretValue>;
}

/** What the hooks need. Configuration is asked for each request, because it may change at any time; a secret once a second. */
export interface HookParts {
  /** Undefined when there is no such Sync, or it takes no pushes. */
  syncHook(name: string): SyncHook | undefined;
  /** Undefined when there is no such Platform, or it takes no events. */
  platformEvents(name: string): PlatformEvents | undefined;
  platformsWithEvents(): readonly string[];
  readonly intake: Intake;
  readonly lookAgain: LookAgain;
  readonly reports: GatewayReports;
  readonly log: Log;
  /** Milliseconds since 1970. */
  readonly clock: () => number;
}
