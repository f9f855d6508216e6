/** The versions that the tests run against; one line each, so that raising one is one change. */
export const VERSIONS = { n8n: '2.40.5', directus: '12.4.0', directusOpen: '11.17.4' } as const;

/** The Node versions that the servers run under, by major version. */
export const NODES = { 22: '22.23.3', 24: '24.21.0' } as const;
