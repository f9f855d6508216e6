import { sshCommand } from './git-access.ts';
import type { CheckedConfig } from './git-config.ts';

/**
 * The whole config file of a mirror. No other configuration is in force (see `baseEnvironment`), so that this text is all
 * that decides what git does.
 */
export function mirrorConfig(dir: string, config: CheckedConfig, partial: boolean): string {
  const { target, url, caFile, auth } = config;
  const known = auth.knownHosts !== undefined && 'file' in auth.knownHosts ? auth.knownHosts.file : undefined;
  const lines = [
    '[core]',
    `repositoryformatversion = ${partial ? 1 : 0}`,
    'bare = true',
    'hooksPath = /dev/null',
    'askPass = /bin/false',
    'logAllRefUpdates = false',
    ...(target.transport === 'ssh' ? [`sshCommand = ${quoted(sshCommand(dir, known))}`] : []),
    ...(partial ? ['[extensions]', 'partialClone = origin'] : []),
    '[remote "origin"]',
    `url = ${quoted(url)}`,
    'tagOpt = --no-tags',
    ...(partial ? ['promisor = true', 'partialclonefilter = blob:none'] : []),
    '[protocol]',
    'allow = never',
    `[protocol "${target.transport}"]`,
    'allow = always',
    '[ssh]',
    'variant = ssh',
    '[transfer]',
    'fsckObjects = true',
    '[fetch]',
    'fsckObjects = true',
    'recurseSubmodules = false',
    '[submodule]',
    'recurse = false',
    '[http]',
    // A redirect would carry the token's header to wherever it leads.
    'followRedirects = false',
    'lowSpeedLimit = 1',
    'lowSpeedTime = 60',
    ...(caFile === undefined ? [] : [`sslCAInfo = ${quoted(caFile)}`]),
    // Collected in the foreground, where the timeout and the exclusive use of the folder hold. What an older snapshot
    // may still be reading stays for a day.
    '[gc]',
    'autoDetach = false',
    'pruneExpire = 1.day.ago',
    '[maintenance]',
    'autoDetach = false',
  ];
  return `${lines.join('\n')}\n`;
}

/** A value in git's config syntax (git-config(1), Syntax). */
function quoted(value: string): string {
  return `"${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}
