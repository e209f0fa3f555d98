import { statSync } from 'node:fs';
import { isSystemError, messageOf } from '#/base/errors.ts';
import type { Context } from '../command.ts';
import { goMessage } from '../system-errors.ts';
import { readBounded } from './read-bounded.ts';
import type { SshAgent } from './ssh/agent.ts';
import { type AgentKey, keyAgent } from './ssh/key-agent.ts';
import { parseKeyFile } from './ssh/key-file.ts';
import { signingKey } from './ssh/signing-key.ts';
import { checkAgent, socketAgent } from './ssh/socket-agent.ts';

/** SSH agents by the id that steps ask for. */
export type Agents = ReadonlyMap<string, SshAgent>;

/** The largest file that is taken for a private key; BuildKit's limit. Bytes. */
const maxKeySize = 100 * 1024;

/**
 * The agents of `--ssh default`, `--ssh id=socket` and `--ssh id=keyfile,keyfile`; without a path that of SSH_AUTH_SOCK. Keys
 * are held in this process. Throws an Error that never has a part of a key.
 */
export async function openAgents(texts: readonly string[], env: Context['env']): Promise<Agents> {
  const agents = new Map<string, SshAgent>();
  for (const text of texts) {
    if (text === '') continue;
    const at = text.indexOf('=');
    const id = (at < 0 ? text : text.slice(0, at)) || 'default';
    if (agents.has(id)) {
      throw new Error(
        `two agents with the id ${JSON.stringify(id)} (--ssh ${text}): give several keys as id=key,key`,
      );
    }
    agents.set(id, await openAgent(id, { paths: at < 0 ? '' : text.slice(at + 1), env }));
  }
  return agents;
}

async function openAgent(
  id: string,
  { paths, env }: { paths: string; env: Context['env'] },
): Promise<SshAgent> {
  const variable = env['SSH_AUTH_SOCK'] ?? '';
  const given = paths.split(',').filter((path) => path !== '');
  if (given.length === 0 && variable === '') {
    throw new Error(
      `there is no SSH agent for --ssh ${id}: SSH_AUTH_SOCK is not set. Start one (eval "$(ssh-agent)"; ssh-add), or give a private key: --ssh ${id}=$HOME/.ssh/id_ed25519`,
    );
  }
  const found = (given.length === 0 ? [variable] : given).map((path) => ({ path, ...look(path) }));
  const [first] = found;
  if (first?.isSocket !== true || found.length > 1) return keyAgent(found.map(readKey));
  try {
    await checkAgent(first.path);
  } catch (error) {
    throw new Error(
      `cannot reach the SSH agent at ${JSON.stringify(first.path)}: ${goMessage(error)}; is it still running?`,
      { cause: error },
    );
  }
  return socketAgent(first.path);
}

function look(path: string): { isSocket: boolean } {
  try {
    const stats = statSync(path);
    return { isSocket: stats.isSocket() };
  } catch (error) {
    const hint = path.startsWith('~') ? '; the shell leaves "~" as it is after "=": write $HOME' : '';
    throw new Error(`cannot use ${JSON.stringify(path)} for --ssh: ${goMessage(error)}${hint}`, {
      cause: error,
    });
  }
}

function readKey({ path, isSocket }: { path: string; isSocket: boolean }): AgentKey {
  const refuse = (reason: string, cause: unknown): Error =>
    new Error(`cannot use ${JSON.stringify(path)} as key for --ssh: ${reason}`, { cause });
  if (isSocket) {
    throw refuse(
      'it is the socket of an agent, which can only be given alone, and not beside other paths',
      undefined,
    );
  }
  try {
    const bytes = readBounded(path, maxKeySize);
    if (bytes.length > maxKeySize) throw new Error(`it has more than ${maxKeySize} bytes`);
    const { key, comment } = parseKeyFile(bytes.toString('latin1'));
    return { key: signingKey(key), comment: comment || path };
  } catch (error) {
    throw refuse(isSystemError(error) ? goMessage(error) : messageOf(error), error);
  }
}
