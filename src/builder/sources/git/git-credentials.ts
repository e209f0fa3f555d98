import { invalid } from '#/base/errors.ts';
import { basicAuthorization } from '#/distribution/credentials.ts';
import { extraConfiguration } from './git-program.ts';
import type { GitUrl } from './git-url.ts';

/** What a client lends for one build. */
export interface GitSecrets {
  /** A secret by its name, as `--secret id=…` gives it. */
  readonly secret: (id: string) => Promise<Buffer | undefined>;
  /** The socket of an ssh agent. */
  readonly sshAgent: string | undefined;
}

/**
 * The environment that lets git in: the secrets GIT_AUTH_TOKEN and GIT_AUTH_HEADER, first those for the very host
 * (`GIT_AUTH_TOKEN.github.com`), which alone go to hosts that only a submodule names; what the URL has; an ssh agent. Hosts that ssh meets for the first
 * time are remembered in the file `knownHosts`; keys and settings of this machine's users are not for builds.
 */
export async function gitAccess(
  url: GitUrl,
  { secrets, knownHosts, mainHost }: { secrets: GitSecrets; knownHosts: string; mainHost: string },
): Promise<Record<string, string>> {
  const isMain = url.host === mainHost;
  const header = url.remote.startsWith('http') ? await authorization(url, secrets, isMain) : undefined;
  const origin = header === undefined ? '' : new URL(url.remote).origin;
  return {
    ...(header !== undefined &&
      extraConfiguration([[`http.${origin}/.extraHeader`, `Authorization: ${header}`]])),
    ...(secrets.sshAgent !== undefined && { SSH_AUTH_SOCK: secrets.sshAgent }),
    GIT_SSH_VARIANT: 'ssh',
    GIT_SSH_COMMAND: sshCommand(knownHosts),
  };
}

async function authorization(
  url: GitUrl,
  { secret }: GitSecrets,
  isMain: boolean,
): Promise<string | undefined> {
  const read = async (name: string): Promise<string | undefined> => {
    const bytes = (await secret(`${name}.${url.host}`)) ?? (isMain ? await secret(name) : undefined);
    const text = bytes?.toString().trim();
    if (text !== undefined && /[\0\r\n]/.test(text)) throw invalid(`secret ${name} has more than one line`);
    return text === '' ? undefined : text;
  };
  const header = await read('GIT_AUTH_HEADER');
  if (header !== undefined) return header;
  const token = await read('GIT_AUTH_TOKEN');
  if (token !== undefined) return basicAuthorization('x-access-token', token);
  const { credentials } = url;
  return credentials === undefined
    ? undefined
    : basicAuthorization(credentials.username, credentials.password);
}

function sshCommand(knownHosts: string): string {
  const options = {
    BatchMode: 'yes',
    IdentityFile: 'none',
    StrictHostKeyChecking: 'accept-new',
    UserKnownHostsFile: quotedForSsh(knownHosts),
    ConnectTimeout: '30',
  };
  const words = Object.entries(options).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
  return ['/usr/bin/ssh', '-F', '/dev/null', ...words].map(quotedForShell).join(' ');
}

/** ssh_config(5): a value with spaces. */
function quotedForSsh(text: string): string {
  return `"${text.replaceAll('%', '%%')}"`;
}

function quotedForShell(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
