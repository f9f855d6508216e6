import { installDirectus } from '../drivers/directus/server.ts';
import { installN8n } from '../drivers/n8n/server.ts';
import { VERSIONS } from './versions.ts';

// Before the suites, because it takes minutes the first time, and no case has minutes.
await installN8n();
await installDirectus(VERSIONS.directusOpen);
await installDirectus(VERSIONS.directus);
