import { once } from 'node:events';
import { parseArgs } from 'node:util';
import { invalid, messageOf } from '#/base/errors.ts';
import { Logger } from '#/base/log.ts';
import { skiffVersion } from '#/base/version.ts';
import { openAccess } from './access.ts';
import { openLocalContent } from './content.ts';
import { RegistryServer } from './server.ts';
import { buildServices } from './services.ts';

/** Where words for people go. */
export interface Output {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
}

/** Milliseconds that requests under way have after a signal to stop. */
const stopGrace = 30_000;

const helpText = `Usage: skiff-registry [OPTIONS]

Serves images to Docker, podman and everything else that speaks the OCI distribution protocol.

Options:
      --listen HOST:PORT   Where to listen (default 127.0.0.1:5000)
      --root DIRECTORY     Where content is kept (default /var/lib/skiff-registry)
      --help               Print this
      --version            Print the version
`;

/** Runs skiff-registry until a signal ends it; resolves with the exit code. */
export async function run(argv: readonly string[], output: Output): Promise<number> {
  try {
    const { values } = parseArgs({
      args: [...argv],
      options: {
        listen: { type: 'string', default: '127.0.0.1:5000' },
        root: { type: 'string', default: '/var/lib/skiff-registry' },
        help: { type: 'boolean', default: false },
        version: { type: 'boolean', default: false },
      },
    });
    if (values.help) output.out(helpText);
    else if (values.version) output.out(`Skiff Registry version ${skiffVersion}\n`);
    else await serve(values, output);
    return 0;
  } catch (error) {
    output.err(`skiff-registry: ${messageOf(error).replaceAll('\n', ' ')}\n`);
    return 1;
  }
}

async function serve({ listen, root }: { listen: string; root: string }, { err }: Output): Promise<void> {
  const { host, port } = parseAddress(listen);
  const log = new Logger({ level: 'info', format: 'text', write: err });
  await using content = await openLocalContent({ root });
  const services = buildServices({ ...content, observer: { observe: () => undefined } });
  const registry = new RegistryServer({ services, access: openAccess, log });
  const door = registry.door();
  door.listen({ host, port });
  await once(door, 'listening');
  log.info('skiff-registry is ready', { version: skiffVersion, address: listen, root });
  const signal = await stopSignal();
  log.info('skiff-registry stops', { signal });
  await registry.close(stopGrace);
}

/** Takes `host:port` apart, or `[host]:port`; no host means all addresses. Throws `invalid`. */
function parseAddress(text: string): { host: string | undefined; port: number } {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]*)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3] ?? Number.NaN);
  if (match === null || port > 65_535) throw invalid(`--listen "${text}" is not of the form HOST:PORT`);
  const host = match[1] ?? match[2] ?? '';
  return { host: host === '' ? undefined : host, port };
}

function stopSignal(): Promise<NodeJS.Signals> {
  const { promise, resolve } = Promise.withResolvers<NodeJS.Signals>();
  process.once('SIGTERM', resolve).once('SIGINT', resolve);
  return promise;
}
