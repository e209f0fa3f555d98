import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { invalid } from '#/base/errors.ts';
import { basicAuthorization } from '#/distribution/credentials.ts';
import { agentSocket } from './agent-socket.ts';
import { extraConfiguration } from './git-program.ts';
import type { GitUrl } from './git-url.ts';
import type { GitWork } from './git-work.ts';

/** The agent that git uses. */
const agentId = 'default';

/** What lets git in, until it is disposed of. */
export interface GitAccess extends Disposable {
  readonly env: Readonly<Record<string, string>>;
}

/**
 * The environment that lets git in: the secrets GIT_AUTH_TOKEN and GIT_AUTH_HEADER, first those for the very host
 * (`GIT_AUTH_TOKEN.github.com`), which alone go to hosts that only a submodule names; what the URL has; the client's ssh agent.
 * Hosts that ssh meets for the first time are remembered below `folder`; keys and settings of this machine's users are not for
 * builds.
 */
export async function openAccess(
  url: GitUrl,
  work: GitWork & { mainHost: string },
  folder: string,
): Promise<GitAccess> {
  using stack = new DisposableStack();
  if (url.remote.startsWith('http')) {
    const header = await authorization(url, work);
    const { origin } = new URL(url.remote);
    const settings = [[`http.${origin}/.extraHeader`, `Authorization: ${header}`] as const];
    return { env: header === undefined ? {} : extraConfiguration(settings), [Symbol.dispose]: () => {} };
  }
  const env: Record<string, string> = {
    GIT_SSH_VARIANT: 'ssh',
    GIT_SSH_COMMAND: sshCommand(join(folder, 'known_hosts')),
  };
  if (await work.ssh.has(agentId, { signal: work.signal })) {
    // A socket's path has little room.
    const path = join(folder, `${randomUUID().slice(0, 8)}.sock`);
    stack.use(await agentSocket(path, work.ssh, agentId));
    env['SSH_AUTH_SOCK'] = path;
  }
  const kept = stack.move();
  return { env, [Symbol.dispose]: () => kept.dispose() };
}

async function authorization(
  url: GitUrl,
  { secrets, signal, mainHost }: GitWork & { mainHost: string },
): Promise<string | undefined> {
  const read = async (name: string): Promise<string | undefined> => {
    const own = await secrets.get(`${name}.${url.host}`, { signal });
    const bytes = own ?? (url.host === mainHost ? await secrets.get(name, { signal }) : undefined);
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
    // ssh_config(5): a value with spaces.
    UserKnownHostsFile: `"${knownHosts.replaceAll('%', '%%')}"`,
    ConnectTimeout: '30',
  };
  const words = Object.entries(options).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
  return ['/usr/bin/ssh', '-F', '/dev/null', ...words].map(quotedForShell).join(' ');
}

function quotedForShell(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
