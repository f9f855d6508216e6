import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { cp, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { simpleGit } from 'simple-git';
import { stringify } from 'yaml';
import { ReconcilerError } from '../errors.ts';

/** Where the parts of the demo are. */
export interface Demo {
  /** The git repository that people edit. */
  readonly repository: string;
  readonly configuration: string;
  readonly secrets: string;
  /** Port on the loopback interface where the demo's receiver of webhooks is told things; undefined in a demo made before there was one. */
  readonly receiverPort: number | undefined;
  /** Likewise of the services that its Integrations sync between. */
  readonly servicesPort: number | undefined;
  /** Whether this run made it, rather than finding it. */
  readonly fresh: boolean;
}

/** The sample manifests lie beside the source, and beside the compiled program in the package. */
const MANIFESTS = resolve(dirname(fileURLToPath(import.meta.url)), '..', '..', 'manifests');

/** So does the plugin that checks orders. */
const ASSETS = resolve(dirname(fileURLToPath(import.meta.url)), 'demo-assets');

/** And the code of its Integrations, each of which becomes a git repository. */
const CODE = ['crm-sync', 'analytics-sync'] as const;

const SECRETS = [
  'crm-passphrase',
  'crm-token',
  'alice-password',
  'maker-password',
  'receiver-secret',
  'events-secret',
] as const;

/**
 * Makes what the demo needs below `<stateDir>/demo`, and leaves alone what is there: a second run goes on where the
 * first one was.
 * @throws ReconcilerError when git is missing or the folder cannot be written.
 */
export async function prepareDemo(stateDir: string): Promise<Demo> {
  const home = resolve(stateDir, 'demo');
  const repository = join(home, 'repo');
  const fresh = !existsSync(join(repository, '.git'));
  await mkdir(home, { recursive: true });
  const secrets = join(home, 'secrets');
  await makeSecrets(secrets);
  if (fresh) await makeRepository(MANIFESTS, repository, 'Order management as it stands in production');
  const code = join(home, 'code');
  for (const name of CODE)
    if (!existsSync(join(code, name, '.git'))) await makeRepository(join(ASSETS, name), join(code, name), 'Sync it');
  const configuration = join(home, 'plumbline.yaml');
  if (!existsSync(configuration)) {
    await cp(join(ASSETS, 'order-limit'), join(home, 'plugins', 'order-limit'), { recursive: true });
    const ports = { receiverPort: await freePort(), servicesPort: await freePort() };
    await writeFile(configuration, configurationText({ repository, secrets, code, ...ports }));
  }
  const configured = await readFile(configuration, 'utf8');
  const portOf = (pattern: RegExp): number | undefined => {
    const found = pattern.exec(configured)?.[1];
    return found === undefined ? undefined : Number(found);
  };
  return {
    repository,
    configuration,
    secrets,
    fresh,
    receiverPort: portOf(/http:\/\/127\.0\.0\.1:(\d+)\/hook/),
    servicesPort: portOf(/services: "?http:\/\/127\.0\.0\.1:(\d+)/),
  };
}

/** A port of the loopback interface that nobody listens on at present. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** What the receiver of webhooks knows their sender by. */
export async function receiverSecret({ secrets }: Demo): Promise<string> {
  return (await readFile(join(secrets, 'receiver-secret'), 'utf8')).trim();
}

/** What the demo's CRM knows those by who write to it. */
export async function crmToken({ secrets }: Demo): Promise<string> {
  return (await readFile(join(secrets, 'crm-token'), 'utf8')).trim();
}

/** The password of the person who edits flows in the demo's editor. */
export async function makerPassword({ secrets }: Demo): Promise<string> {
  return (await readFile(join(secrets, 'maker-password'), 'utf8')).trim();
}

async function makeSecrets(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  for (const name of SECRETS) {
    const file = join(folder, name);
    if (!existsSync(file)) await writeFile(file, `${randomBytes(12).toString('base64url')}\n`, { mode: 0o600 });
  }
}

/** Built aside and moved into place, so that a run that is cut off leaves no half repository behind. */
async function makeRepository(from: string, repository: string, message: string): Promise<void> {
  const building = `${repository}.building`;
  await rm(building, { recursive: true, force: true });
  await rm(repository, { recursive: true, force: true });
  await cp(from, building, { recursive: true });
  const git = simpleGit({ baseDir: building });
  try {
    await git.init(['--initial-branch=main']);
    await git.addConfig('user.name', 'Plumbline demo');
    await git.addConfig('user.email', 'demo@plumbline.invalid');
    await git.addConfig('commit.gpgsign', 'false');
    await git.add('.');
    await git.commit(message);
  } catch (cause) {
    throw new ReconcilerError('the demo repository could not be made', 'never', {
      cause,
      remedy: 'Install git 2.30 or newer and start again.',
    });
  }
  await rename(building, repository);
}

function configurationText(demo: {
  readonly repository: string;
  readonly secrets: string;
  /** Folder of the repositories with code. */
  readonly code: string;
  readonly receiverPort: number;
  readonly servicesPort: number;
}): string {
  const { repository, secrets, code, receiverPort, servicesPort } = demo;
  const platform = {
    apiVersion: 'plumbline.dev/v1alpha1',
    kind: 'Platform',
    metadata: { name: 'node-red', labels: { environment: 'demo' } },
    spec: {
      driver: 'node-red',
      hosted: { port: 1880 },
      events: { secret: { valueFrom: { file: join(secrets, 'events-secret') } } },
      // The receiver is on this machine, where webhooks do not go unless they are allowed to.
      webhooks: { allow: ['127.0.0.1'] },
    },
  };
  const sync = {
    apiVersion: 'plumbline.dev/v1alpha1',
    kind: 'Sync',
    metadata: { name: 'order-management' },
    spec: {
      source: { git: { url: pathToFileURL(repository).href, ref: { branch: 'main' } } },
      platform: 'node-red',
      interval: '10s',
      retryInterval: '2s',
      drift: 'revert',
      // Long enough to see the change in the editor, short enough not to wait for it.
      gracePeriod: '5s',
      prune: { enabled: true, maxDeletions: '50%' },
      secrets: { dir: secrets },
      // Off without this: Integrations run code of these repositories, and of no others.
      code: { repositories: [{ url: `${pathToFileURL(code).href}/*` }] },
      variables: {
        environment: 'demo',
        crmHost: 'crm.example.com',
        receiver: `http://127.0.0.1:${receiverPort}/hook`,
        services: `http://127.0.0.1:${servicesPort}`,
        code: pathToFileURL(code).href,
      },
    },
  };
  const plugin = {
    apiVersion: 'plumbline.dev/v1alpha1',
    kind: 'Plugin',
    metadata: { name: 'order-limit' },
    spec: {
      folder: 'plugins/order-limit',
      platforms: ['node-red'],
      triggers: { workflows: ['order-fulfillment'] },
      settings: { limit: 10_000 },
    },
  };
  return [platform, sync, plugin].map((document) => stringify(document)).join('---\n');
}
