import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import bcrypt from 'bcryptjs';
import { fetchText, freePort } from './ports.ts';
import { scratchDir } from './scratch-dir.ts';
import { until } from './until.ts';

/** Who may use the registry; everybody if there is none. */
interface User {
  readonly name: string;
  readonly password: string;
}

/** Debian's docker-registry (distribution 2.8), a server that Skiff has no part in. */
export interface DebianRegistry extends AsyncDisposable {
  /** `127.0.0.1:port`. */
  readonly host: string;
}

/** Starts one with no content on a free port of the loopback interface. */
export async function startDebianRegistry({ user }: { user?: User } = {}): Promise<DebianRegistry> {
  await using stack = new AsyncDisposableStack();
  const dir = stack.use(scratchDir());
  const host = `127.0.0.1:${freePort()}`;
  mkdirSync(dir.join('data'));
  const config = {
    version: 0.1,
    log: { level: 'error', accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: dir.join('data') }, delete: { enabled: true } },
    http: { addr: host },
    ...(user === undefined ? {} : { auth: { htpasswd: { realm: 'test', path: dir.join('htpasswd') } } }),
  };
  // JSON is YAML.
  writeFileSync(dir.join('config.yml'), JSON.stringify(config));
  if (user !== undefined) {
    writeFileSync(dir.join('htpasswd'), `${user.name}:${bcrypt.hashSync(user.password, 4)}\n`);
  }
  const child = spawn('docker-registry', ['serve', dir.join('config.yml')], { stdio: 'ignore' });
  stack.defer(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill();
    await ended;
  });
  await until(async () => (await fetchText(`http://${host}/`)) !== undefined, {
    what: 'an answer of docker-registry',
    patience: 20_000,
  });
  const owned = stack.move();
  return { host, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}
