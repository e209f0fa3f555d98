import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Ran, run, type TestDaemon } from './daemon.ts';
import { until } from './until.ts';

/** One command line and what it must do. Output is compared whole if it is text; of an error only the part that matters. */
interface DockerCase {
  /** A line of shell, in which `docker` talks to the daemon. */
  readonly line: string;
  /** 0 unless it says so. */
  readonly code?: number;
  readonly out?: string | RegExp;
  readonly err?: string | RegExp;
}

/** Why comparisons with what docker prints since it knows OCI's types (23.0) are left out, for `skip`. */
export const oldDocker: string | false =
  Number(/version (\d+)/.exec(execFileSync('docker', ['--version'], { encoding: 'utf8' }))?.[1]) < 23 &&
  'the docker command of this machine is too old to compare with';

/** Seconds until a line that hangs is ended. */
const patience = '60';

/** The docker command of this machine (20.10 or later), talking to a daemon under test. */
export class DockerCli {
  /** Where its lines run; they may leave files there. */
  readonly dir: string;
  readonly #env: Readonly<Record<string, string>>;

  constructor(daemon: TestDaemon) {
    this.dir = join(daemon.dir, 'cli');
    mkdirSync(this.dir);
    writeFileSync(join(this.dir, 'config.json'), '{}');
    this.#env = { DOCKER_HOST: daemon.host, DOCKER_CONFIG: this.dir, TZ: 'UTC', LC_ALL: 'C.UTF-8' };
  }

  /** Runs a line of shell. */
  run(line: string, { input = '' }: { input?: string } = {}): Promise<Ran> {
    // Ends with everything that it started.
    return run('timeout', ['-k', '1', patience, 'bash', '-c', `cd ${this.dir}\n${line}`], {
      env: this.#env,
      input,
    });
  }

  /** Runs a line that must succeed without a word of complaint; its output without the last line end. */
  async ok(line: string): Promise<string> {
    const { code, stdout, stderr } = await this.run(line);
    assert.deepEqual({ line, code, stderr }, { line, code: 0, stderr: '' });
    return stdout.replace(/\n$/, '');
  }

  /** Runs a line and compares. */
  async check({ line, code = 0, out, err }: DockerCase): Promise<void> {
    const ran = await this.run(line);
    assert.equal(ran.code, code, `${line}\n${ran.stdout}${ran.stderr}`);
    if (typeof out === 'string') assert.equal(ran.stdout, out, `${line}\n${ran.stderr}`);
    else if (out !== undefined) assert.match(ran.stdout, out, line);
    if (typeof err === 'string') {
      assert.ok(err === '' ? ran.stderr === '' : ran.stderr.includes(err), `${line}\n${ran.stderr}`);
    } else if (err !== undefined) assert.match(ran.stderr, err, line);
  }

  /** Waits until a container has said something. */
  async says(name: string, text: string): Promise<void> {
    await until(async () => (await this.run(`docker logs ${name} 2>&1`)).stdout.includes(text), {
      what: `"${text}" in the logs of ${name}`,
    });
  }

  /** Runs lines one after the other. */
  async checkAll(cases: readonly DockerCase[]): Promise<void> {
    for (const each of cases) await this.check(each);
  }
}
