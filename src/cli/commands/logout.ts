import { messageOf } from '#/base/errors.ts';
import { type Command, type Context, defineCommand } from '../command.ts';
import { warnOfAuthVariable } from '../credentials/environment.ts';
import { hostOf } from '../credentials/file-store.ts';
import { hubServer } from '../credentials/resolve.ts';
import { credentialStore } from '../credentials/store.ts';

export const command: Command = defineCommand({
  usage: '[SERVER]',
  description: 'Forget the credentials of a registry.\nWithout a server it is Docker Hub.',
  arity: { max: 1 },
  flags: {},
  async run(ctx, { args: [address = ''] }) {
    warnOfAuthVariable(ctx);
    const host = hostOf(address);
    // Older commands have stored them under addresses.
    const servers =
      address === '' ? [hubServer] : [...new Set([address, host, `http://${host}`, `https://${host}`])];
    ctx.stdout.write(`Removing login credentials for ${address === '' ? hubServer : host}\n`);
    const failures: string[] = [];
    for (const server of servers) failures.push(...(await erase(ctx, server)));
    if (address === '') for (const token of webTokens) await erase(ctx, token);
    // One that could be removed is all that there was.
    if (failures.length < servers.length) return;
    ctx.stderr.write(`WARNING: could not erase credentials:\n${failures.join('')}`);
  },
});

/** What a login to Docker Hub by way of the browser leaves behind. */
const webTokens: readonly string[] = [`${hubServer}access-token`, `${hubServer}refresh-token`];

async function erase(ctx: Context, server: string): Promise<string[]> {
  try {
    await credentialStore(ctx, server).erase(server);
    return [];
  } catch (error) {
    return [`${server}: ${messageOf(error)}\n`];
  }
}
