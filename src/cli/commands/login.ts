import { text } from 'node:stream/consumers';
import { messageOf } from '#/base/errors.ts';
import { ApiError, ConnectionError } from '#/client/errors.ts';
import { tryLogin } from '#/client/system.ts';
import type { AuthConfig, AuthResponse } from '#/wire/registry.ts';
import { type Command, type Context, defineCommand } from '../command.ts';
import { warnOfAuthVariable } from '../credentials/environment.ts';
import { hostOf } from '../credentials/file-store.ts';
import { hubServer, serverOf } from '../credentials/resolve.ts';
import { credentialStore } from '../credentials/store.ts';
import { boolFlag, stringFlag } from '../flags/flag.ts';
import { printNote } from '../notes.ts';
import { Prompt } from '../terminal/prompt.ts';

export const command: Command = defineCommand({
  usage: '[OPTIONS] [SERVER]',
  description: 'Log in to a registry.\nWithout a server it is Docker Hub.',
  arity: { max: 1 },
  flags: {
    password: stringFlag('Password or access token', { short: 'p' }),
    'password-stdin': boolFlag('Read the password or access token from standard input'),
    username: stringFlag("User's name", { short: 'u' }),
  },
  async run(ctx, { flags, given, args: [address = ''] }) {
    checkFlags(flags, given);
    if (flags.password !== '') {
      ctx.stderr.write('WARNING! Using --password via the CLI is insecure. Use --password-stdin.\n');
    }
    const password = flags['password-stdin'] ? await readPassword(ctx) : flags.password;
    warnOfAuthVariable(ctx);
    const server = address === '' || address === hubServer ? hubServer : serverOf(hostOf(address));
    const { message, username } = await tryStored(ctx, server, {
      wanted: flags.username === '' && password === '',
    });
    const status =
      message ?? (await login(ctx, server, { username: flags.username, password, before: username }));
    if (status !== '') ctx.stdout.write(`${status}\n`);
  },
});

interface LoginFlags {
  readonly username: string;
  readonly password: string;
}

function checkFlags({ username, password }: LoginFlags, given: ReadonlySet<string>): void {
  if (given.has('password-stdin') && given.has('password')) {
    throw new Error('conflicting options: cannot specify both --password and --password-stdin');
  }
  if (given.has('password-stdin') && !given.has('username')) {
    throw new Error('the --password-stdin option requires --username to be set');
  }
  if (given.has('username') && username === '') throw new Error('username is empty');
  if (given.has('password') && password === '') throw new Error('password is empty');
}

async function readPassword({ stdin }: Context): Promise<string> {
  return (await text(stdin)).replace(/\r?\n$/, '');
}

/** Tries what is stored; without a message it was not there or not good, and the name is one to offer. */
async function tryStored(
  ctx: Context,
  server: string,
  { wanted }: { wanted: boolean },
): Promise<{ message?: string; username?: string }> {
  if (!wanted) return {};
  const { username, password, ...others } = await credentialStore(ctx, server).get(server);
  if (!username || !password) return username === undefined ? {} : { username };
  ctx.stderr.write(`Authenticating with existing credentials... [Username: ${username}]\n`);
  printNote(ctx.stderr, "To login with a different account, run 'skiff logout' followed by 'skiff login'");
  ctx.stderr.write('\n\n');
  const { registrytoken } = others;
  const auth: AuthConfig = {
    username,
    password,
    serveraddress: server,
    ...(registrytoken !== undefined && { registrytoken }),
  };
  try {
    return { message: await tryAndStore(ctx, auth) };
  } catch (error) {
    const refused = error instanceof ApiError && error.status === 401;
    const reason = refused
      ? 'Stored credentials invalid or expired'
      : `Login did not succeed, error: ${messageOf(error)}`;
    ctx.stderr.write(`${reason}\n`);
    return { username };
  }
}

async function login(
  ctx: Context,
  server: string,
  { before = '', ...given }: { username: string; password: string; before?: string | undefined },
): Promise<string> {
  if ((given.username === '' || given.password === '') && ctx.stdin.isTTY !== true) {
    throw new Error('Error: Cannot perform an interactive login from a non TTY device');
  }
  const prompt = new Prompt(ctx.stdin, ctx.stdout);
  const username = given.username.trim() || (await askName(prompt, ctx, { server, before }));
  const password = given.password.trim() || (await prompt.hiddenLine('Password: '));
  if (password === '') throw new Error('Error: Password Required');
  return tryAndStore(ctx, { username, password, serveraddress: server });
}

async function askName(
  prompt: Prompt,
  { stdout }: Context,
  { server, before }: { server: string; before: string },
): Promise<string> {
  if (server === hubServer) {
    stdout.write(
      'Log in with your Docker ID or email address to push and pull images from Docker Hub. A personal access token of\nyour account can be used instead of its password, and must be where the account has single sign-on.\n\n',
    );
  }
  const name = (await prompt.line(before === '' ? 'Username: ' : `Username (${before}): `)) || before;
  if (name === '') throw new Error('Error: Non-null Username Required');
  return name;
}

/** Tries the credentials at the registry, keeps them, and gives what is to be said of it. */
async function tryAndStore(ctx: Context, auth: AuthConfig): Promise<string> {
  const { IdentityToken, Status } = await tryLogin(ctx.client, auth).catch((error: unknown) => {
    if (error instanceof ConnectionError) return tryWithoutDaemon(ctx, auth);
    throw error;
  });
  const kept = IdentityToken ? { ...auth, password: '', identitytoken: IdentityToken } : auth;
  const server = auth.serveraddress ?? '';
  try {
    await credentialStore(ctx, server).store(kept);
  } catch (error) {
    throw new Error(`Error saving credentials: ${messageOf(error)}`, { cause: error });
  }
  return Status;
}

/** Credentials can be stored where there is no daemon, or none yet. */
async function tryWithoutDaemon(ctx: Context, auth: AuthConfig): Promise<AuthResponse> {
  const { openRegistryClient, registryCredentials } = await import('../registry-client.ts');
  using registry = openRegistryClient(ctx);
  const server = auth.serveraddress ?? '';
  try {
    const { status, identityToken } = await registry.login(server === hubServer ? 'docker.io' : server, {
      credentials: registryCredentials(auth),
      signal: new AbortController().signal,
    });
    return { Status: status, IdentityToken: identityToken };
  } catch (error) {
    throw new Error(`cannot log in to ${server}: ${messageOf(error)}`, { cause: error });
  }
}
