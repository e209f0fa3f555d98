import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';

const author = { name: 'a', email: 'a@example.com', date: '2024-05-06T07:08:09Z' };
const environment = {
  PATH: '/usr/bin:/bin',
  HOME: '/dev/null',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_AUTHOR_NAME: author.name,
  GIT_AUTHOR_EMAIL: author.email,
  GIT_AUTHOR_DATE: author.date,
  GIT_COMMITTER_NAME: author.name,
  GIT_COMMITTER_EMAIL: author.email,
  GIT_COMMITTER_DATE: author.date,
};

/** When every commit of a `TestRepository` was made, in seconds. */
export const commitTime: number = Date.parse(author.date) / 1000;

/** A repository with a work tree, to be served. */
export class TestRepository {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
    mkdirSync(path, { recursive: true });
    this.git('init', '--quiet', '-b', 'main');
    this.git('config', 'http.receivepack', 'false');
  }

  /** Runs git in it; what it prints. */
  git(...args: string[]): string {
    return execFileSync('/usr/bin/git', args, { cwd: this.path, env: environment, encoding: 'utf8' }).trim();
  }

  /** Runs git in it with an input. */
  gitWith(input: string | Buffer, ...args: string[]): string {
    return execFileSync('/usr/bin/git', args, {
      cwd: this.path,
      env: environment,
      input,
      encoding: 'utf8',
    }).trim();
  }

  /** Writes files (`->target` makes a link) and commits everything; the commit's id. */
  commit(files: Readonly<Record<string, string>>): string {
    for (const [name, content] of Object.entries(files)) {
      const path = join(this.path, name);
      mkdirSync(dirname(path), { recursive: true });
      rmSync(path, { force: true });
      if (content.startsWith('->')) symlinkSync(content.slice(2), path);
      else writeFileSync(path, content);
    }
    this.git('add', '-A');
    this.git('commit', '--quiet', '--allow-empty', '-m', 'c');
    return this.git('rev-parse', 'HEAD');
  }

  /** Commits a tree made of objects as they are, which git itself would refuse to make of files. */
  commitRaw(entries: readonly { mode: string; name: string; id: string }[]): string {
    const bytes = Buffer.concat(
      entries.flatMap(({ mode, name, id }) => [Buffer.from(`${mode} ${name}\0`), Buffer.from(id, 'hex')]),
    );
    const tree = this.gitWith(bytes, 'hash-object', '-t', 'tree', '-w', '--literally', '--stdin');
    const commit = this.git('commit-tree', '-m', 'raw', tree);
    this.git('update-ref', 'refs/heads/main', commit);
    return commit;
  }

  /** The id of a blob with this content. */
  blob(content: string): string {
    return this.gitWith(content, 'hash-object', '-w', '--stdin');
  }
}

/** How `serveGit` is to behave. */
export interface GitServerOptions {
  /** Requests need this value of `Authorization`. */
  readonly authorization?: string;
  /** Called with each request; resolves when it may go on. */
  readonly onRequest?: (request: IncomingMessage) => Promise<void> | void;
  /** Further configuration of the repositories, `key=value`. */
  readonly config?: readonly string[];
}

/** Serves the repositories below `root` by smart HTTP. */
export async function serveGit(
  root: string,
  options: GitServerOptions = {},
): Promise<{ readonly url: string } & AsyncDisposable> {
  const server = createServer((request, response) => void answer(root, options, { request, response }));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** CGI as git-http-backend(1) wants it. */
async function answer(
  root: string,
  options: GitServerOptions,
  { request, response }: { request: IncomingMessage; response: ServerResponse },
): Promise<void> {
  await options.onRequest?.(request);
  if (options.authorization !== undefined && request.headers.authorization !== options.authorization) {
    response.writeHead(401, { 'www-authenticate': 'Basic realm="git"' }).end();
    return;
  }
  const url = new URL(request.url ?? '/', 'http://x');
  const config = (options.config ?? []).flatMap((entry) => ['-c', entry]);
  const child = spawn('/usr/bin/git', ['-c', 'safe.directory=*', ...config, 'http-backend'], {
    env: {
      ...environment,
      GIT_PROJECT_ROOT: root,
      GIT_HTTP_EXPORT_ALL: '1',
      PATH_INFO: url.pathname,
      QUERY_STRING: url.search.slice(1),
      REQUEST_METHOD: request.method,
      CONTENT_TYPE: request.headers['content-type'] ?? '',
      HTTP_CONTENT_ENCODING: String(request.headers['content-encoding'] ?? ''),
      GIT_PROTOCOL: String(request.headers['git-protocol'] ?? ''),
    },
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  request.pipe(child.stdin);
  child.stdin.on('error', () => {});
  const output = Buffer.concat((await Array.fromAsync(child.stdout)) as Buffer[]);
  const end = output.indexOf('\r\n\r\n');
  let status = 200;
  const headers: [string, string][] = [];
  for (const line of output.subarray(0, end).toString().split('\r\n')) {
    const [name = '', value = ''] = line.split(': ');
    if (name === 'Status') status = Number.parseInt(value, 10);
    else headers.push([name, value]);
  }
  response.writeHead(status, Object.fromEntries(headers)).end(output.subarray(end + 4));
}

/** `git daemon` for the repositories below `root`, on the usual port: give the test a network of its own. */
export async function gitDaemon(root: string): Promise<Disposable> {
  const args = [
    'daemon',
    '--export-all',
    `--base-path=${root}`,
    '--listen=127.0.0.1',
    '--reuseaddr',
    '--verbose',
    root,
  ];
  const child: ChildProcess = spawn('/usr/bin/git', args, {
    env: environment,
    stdio: ['ignore', 'ignore', 'pipe'],
    detached: true,
  });
  if (child.stderr === null || child.pid === undefined) throw new Error('git daemon did not start');
  // It says "Ready to rumble" when it listens.
  await once(child.stderr, 'data');
  const { pid } = child;
  return { [Symbol.dispose]: () => process.kill(-pid, 'SIGKILL') };
}
