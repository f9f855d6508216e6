/** Outgoing webhooks that are registered: see webhooks.ts. */
export const WEBHOOKS = 'SELECT 1;';
