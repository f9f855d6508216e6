import type { IncomingHttpHeaders } from 'node:http';
import { single } from './signatures.ts';
import type { Proof } from './signatures.ts';

/** Who sends git pushes. */
export type GitProvider = 'github' | 'gitlab' | 'gitea' | 'forgejo' | 'bitbucket' | 'standard-webhooks' | 'generic';

interface Habits {
  readonly proof: (headers: IncomingHttpHeaders) => Proof;
  /** Headers that name the delivery, and keep the name when it is sent again; the first that is there counts. */
  readonly delivery: readonly string[];
  /** Whether it only tries whether somebody answers. */
  readonly isPing: (headers: IncomingHttpHeaders) => boolean;
}

const hex =
  (...headers: readonly string[]) =>
  (sent: IncomingHttpHeaders): Proof => ({
    kind: 'hmac',
    header: headers.find((name) => sent[name] !== undefined) ?? headers[0] ?? '',
    prefix: '',
  });
const prefixed = (header: string) => (): Proof => ({ kind: 'hmac', header, prefix: 'sha256=' });
const says = (header: string, word: string) => (headers: IncomingHttpHeaders) => single(headers, header) === word;
const never = (): boolean => false;

/**
 * GitHub: https://docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries. GitLab:
 * https://docs.gitlab.com/user/project/integrations/webhooks/. Gitea and Forgejo: their pages on webhooks. Bitbucket:
 * https://support.atlassian.com/bitbucket-cloud/docs/manage-webhooks/. https://www.standardwebhooks.com.
 */
const HABITS: Readonly<Record<GitProvider, Habits>> = {
  github: {
    proof: prefixed('x-hub-signature-256'),
    delivery: ['x-github-delivery'],
    isPing: says('x-github-event', 'ping'),
  },
  gitlab: {
    // A signature says more than the token beside it, and who cannot make one must not get by with less.
    proof: (headers) =>
      headers['webhook-signature'] === undefined
        ? { kind: 'token', headers: ['x-gitlab-token'] }
        : { kind: 'standard-webhooks' },
    delivery: ['webhook-id', 'idempotency-key', 'x-gitlab-event-uuid'],
    isPing: never,
  },
  gitea: { proof: hex('x-gitea-signature'), delivery: ['x-gitea-delivery'], isPing: never },
  forgejo: {
    proof: hex('x-forgejo-signature', 'x-gitea-signature'),
    delivery: ['x-forgejo-delivery', 'x-gitea-delivery'],
    isPing: never,
  },
  bitbucket: {
    proof: prefixed('x-hub-signature'),
    delivery: ['x-request-uuid', 'x-request-id'],
    isPing: says('x-event-key', 'diagnostics:ping'),
  },
  'standard-webhooks': { proof: () => ({ kind: 'standard-webhooks' }), delivery: ['webhook-id'], isPing: never },
  generic: { proof: prefixed('x-signature-256'), delivery: ['x-delivery-id'], isPing: never },
};

export function proofOf(provider: GitProvider, headers: IncomingHttpHeaders): Proof {
  return HABITS[provider].proof(headers);
}

/** The provider's id of a delivery, at most 200 characters; undefined when it gives none. */
export function deliveryOf(provider: GitProvider, headers: IncomingHttpHeaders): string | undefined {
  const id = HABITS[provider].delivery.map((name) => single(headers, name)).find((value) => value !== '');
  return id?.slice(0, 200);
}

export function isPing(provider: GitProvider, headers: IncomingHttpHeaders): boolean {
  return HABITS[provider].isPing(headers);
}
