import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { ReconcilerError } from '../../errors.ts';
import { hashPassword } from './access-password.ts';

/** The account by which Plumbline works on the Node-RED that it hosts. */
export const HOSTED_USER = 'plumbline';

const Keys = z.object({ password: z.string().min(20), credentialSecret: z.string().min(20) });

/** Where everything of one hosted Node-RED lies: its keys and process beside its user directory. */
export interface HostedFiles {
  readonly userDir: string;
  readonly settings: string;
  /** Who runs at present, for the next start after a crash. */
  readonly process: string;
  readonly password: string;
  readonly credentialSecret: string;
}

/**
 * Creates the directory of a hosted Node-RED, or finds it again: password and credential secret are made once and kept, each
 * file readable by this account only; settings.js is written anew each time, so that it fits this version.
 * @throws ReconcilerError ('never') when the kept keys cannot be read: new ones would make every credential unreadable.
 */
export async function prepareHostedFiles(stateDir: string, name: string): Promise<HostedFiles> {
  const home = join(stateDir, 'node-red', name);
  const userDir = join(home, 'user');
  mkdirSync(userDir, { recursive: true, mode: 0o700 });
  chmodSync(home, 0o700);
  const keys = keptKeys(join(home, 'keys.json'));
  // The state directory may lie inside a project whose package.json makes every .js below it an ES module.
  writePrivately(join(home, 'package.json'), '{ "private": true, "type": "commonjs" }\n');
  const settings = join(userDir, 'settings.js');
  writePrivately(settings, settingsText(keys.credentialSecret, await hashPassword(keys.password)));
  return { userDir, settings, process: join(home, 'process.json'), ...keys };
}

function keptKeys(file: string): z.infer<typeof Keys> {
  if (!existsSync(file)) {
    const made = { password: randomBytes(24).toString('base64url'), credentialSecret: randomBytes(32).toString('hex') };
    writePrivately(file, `${JSON.stringify(made)}\n`);
    return made;
  }
  try {
    return Keys.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch (error) {
    throw new ReconcilerError(`${file} holds the keys of the hosted Node-RED and cannot be read.`, 'never', {
      code: 'hosted-keys',
      cause: error,
      remedy: 'Restore the file, or remove its directory to begin with an empty Node-RED.',
    });
  }
}

/** Replaces a file in one step; only this account may read it. */
export function writePrivately(file: string, text: string): void {
  const temporary = `${file}.tmp`;
  writeFileSync(temporary, text, { mode: 0o600 });
  chmodSync(temporary, 0o600);
  renameSync(temporary, file);
}

/** Access control is always on, it listens on the loopback only, and it neither updates nor installs anything nor reports home. */
function settingsText(credentialSecret: string, passwordHash: string): string {
  const settings = {
    uiHost: '127.0.0.1',
    flowFile: 'flows.json',
    flowFilePretty: true,
    credentialSecret,
    apiMaxLength: '64mb',
    adminAuth: {
      type: 'credentials',
      users: [{ username: HOSTED_USER, password: passwordHash, permissions: '*' }],
    },
    telemetry: { enabled: false, updateNotification: false },
    externalModules: {
      autoInstall: false,
      palette: { allowInstall: false, allowUpdate: false, allowUpload: false },
      modules: { allowInstall: false },
    },
    editorTheme: {
      page: { title: 'Plumbline' },
      header: { title: 'Plumbline' },
      tours: false,
      projects: { enabled: false },
    },
  };
  const addon = fileURLToPath(new URL('./addon/index.js', import.meta.url));
  return `// Written by Plumbline at each start: changes in here are lost.
module.exports = require(${JSON.stringify(addon)}).wrap(${JSON.stringify(settings, undefined, 2)}, { hosted: true });
`;
}

/** Identity of a user directory, as the add-on made it; empty when it has not yet. */
export function instanceOf(userDir: string): string {
  const file = join(userDir, 'plumbline', 'instance.json');
  if (!existsSync(file)) return '';
  return z.object({ instance: z.string() }).parse(JSON.parse(readFileSync(file, 'utf8'))).instance;
}
