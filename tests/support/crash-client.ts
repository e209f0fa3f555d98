import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import {
  type Condition,
  type Known,
  type Operation,
  type Program,
  randomOperation,
  randomProgram,
} from './crash-operations.ts';
import type { Answer, TestDaemon } from './daemon.ts';
import { tarOf } from './images.ts';
import type { Random } from './random.ts';
import { type ContainerWish, type Inspected, TestContainers } from './test-containers.ts';
import { until } from './until.ts';

/** Thrown when the daemon went away during a request: nobody knows whether it was carried out. */
class Unanswered extends Error {}

/** Something that has only a name: a volume, a tag of an image. */
interface Thing {
  readonly create: () => Promise<void>;
  readonly url: string;
}

const mostContainers = 4;
const mostThings = 3;

/**
 * A client with containers, volumes and images of its own. It remembers what the daemon has acknowledged, and what was
 * under way when the daemon died; afterwards it checks that nothing acknowledged was lost.
 */
export class CrashClient {
  /** Requests that were answered. */
  answered = 0;
  readonly #daemon: TestDaemon;
  readonly #containers: TestContainers;
  readonly #random: Random;
  readonly #prefix: string;
  #known: Known[] = [];
  readonly #things = new Map<string, Thing>();
  /** Checks what became of the request that was not answered. */
  #doubt: (() => Promise<void>) | undefined;
  #names = 0;

  constructor(daemon: TestDaemon, { random, prefix }: { random: Random; prefix: string }) {
    this.#daemon = daemon;
    this.#containers = new TestContainers(daemon);
    this.#random = random;
    this.#prefix = prefix;
  }

  /** Makes one request after the other until the daemon dies. */
  async work(): Promise<void> {
    try {
      for (;;) await this.#step();
    } catch (error) {
      // Whatever fails once the daemon is dead fails for that reason.
      if (!(error instanceof Unanswered) && this.#daemon.pid !== 0) throw error;
    }
  }

  /** Checks that the daemon, started anew, has all that it should. */
  async check(): Promise<void> {
    await this.#doubt?.();
    this.#doubt = undefined;
    for (const known of this.#known) await this.#settle(known, [known.condition]);
    this.#known = this.#known.filter(({ condition }) => condition.status !== 'gone');
    for (const { url } of this.#things.values()) {
      assert.equal((await this.#daemon.ask('GET', url)).status, 200, `${url} was lost`);
    }
  }

  /** Removes all that it has made. */
  async cleanUp(): Promise<void> {
    for (const { id } of this.#known) await this.#containers.remove(id);
    for (const { url } of this.#things.values()) {
      const answer = await this.#daemon.ask('DELETE', url.replace(/\/json$/, ''));
      assert.ok(answer.status < 300, answer.body.toString());
    }
  }

  async #step(): Promise<void> {
    const what = this.#random.below(10);
    if (what === 0) return this.#stepThing('volume');
    if (what === 1) return this.#stepThing('image');
    if (this.#known.length === 0 || (what < 4 && this.#known.length < mostContainers)) return this.#create();
    const known = this.#random.pick(this.#known);
    const busy = known.condition.status === 'running' && known.program.endsWith === undefined;
    if (busy && what === 9) return this.#exec(known);
    return this.#operate(known, randomOperation(this.#random, known));
  }

  async #create(): Promise<void> {
    const name = `${this.#prefix}-${this.#names++}`;
    const program = randomProgram(this.#random);
    const condition: Condition = { status: 'created', exitCode: 0 };
    this.#doubt = async () => {
      const found = await this.#containers.find(name);
      if (found !== undefined) this.#known.push({ id: found.Id, name, program, condition });
    };
    const answer = await this.#acknowledged('create', () =>
      this.#containers.tryCreate({ name, ...this.#wish(program) }),
    );
    const { Id: id } = JSON.parse(answer.body.toString()) as { Id: string };
    this.#known.push({ id, name, program, condition });
  }

  #wish({ cmd, autoRemove }: Program): ContainerWish {
    const volumes = { config: { Volumes: { '/data': {} } }, host: {} };
    const shared = { config: {}, host: { IpcMode: 'shareable', Init: true } };
    const published = {
      config: { ExposedPorts: { '80/tcp': {} } },
      host: { PublishAllPorts: true },
    };
    const lonely = { config: {}, host: { NetworkMode: 'none' } };
    const { config, host } = this.#random.pick([volumes, shared, published, lonely]);
    return { cmd, config, host: { ...host, AutoRemove: autoRemove } };
  }

  async #operate(known: Known, operation: Operation): Promise<void> {
    const { after, between = [], newName, what, method, path } = operation;
    this.#doubt = async () => {
      const found = await this.#containers.find(known.id);
      const name = found !== undefined && newName === found.Name.slice(1) ? newName : known.name;
      await this.#settle({ ...known, name }, [known.condition, after, ...between]);
    };
    await this.#acknowledged(`${what} (${known.name}, ${known.condition.status})`, () =>
      this.#daemon.ask(method, path),
    );
    const done = { ...known, name: newName ?? known.name };
    this.#doubt = () => this.#settle(done, [after]);
    await this.#settle(done, [after]);
  }

  async #exec({ id, name }: Known): Promise<void> {
    this.#doubt = undefined;
    const request = { Cmd: ['true'], AttachStdout: true };
    const created = await this.#acknowledged(`exec in ${name}`, () =>
      this.#daemon.ask('POST', `/containers/${id}/exec`, request),
    );
    const { Id } = JSON.parse(created.body.toString()) as { Id: string };
    await this.#acknowledged(`exec start in ${name}`, () =>
      this.#daemon.ask('POST', `/exec/${Id}/start`, { Detach: this.#random.below(2) === 0 }),
    );
  }

  /** Makes a volume or an image, or removes one. */
  async #stepThing(kind: 'volume' | 'image'): Promise<void> {
    const own = [...this.#things.keys()].filter((key) => key.startsWith(kind));
    if (own.length > 0 && (own.length >= mostThings || this.#random.below(3) === 0)) {
      const key = this.#random.pick(own);
      const thing = this.#things.get(key);
      if (thing === undefined) return;
      this.#things.delete(key);
      this.#doubt = async () => {
        if ((await this.#daemon.ask('GET', thing.url)).status === 200) this.#things.set(key, thing);
      };
      await this.#acknowledged(`remove ${key}`, () =>
        this.#daemon.ask('DELETE', thing.url.replace(/\/json$/, '')),
      );
      return;
    }
    const name = `${this.#prefix}-${this.#names++}`;
    const thing = kind === 'volume' ? this.#volume(name) : this.#image(name);
    this.#doubt = async () => {
      if ((await this.#daemon.ask('GET', thing.url)).status === 200)
        this.#things.set(`${kind} ${name}`, thing);
    };
    await thing.create();
    this.#things.set(`${kind} ${name}`, thing);
  }

  #volume(name: string): Thing {
    const create = async (): Promise<void> => {
      await this.#acknowledged(`volume create ${name}`, () =>
        this.#daemon.ask('POST', '/volumes/create', { Name: name }),
      );
    };
    return { create, url: `/volumes/${name}` };
  }

  #image(name: string): Thing {
    const create = async (): Promise<void> => {
      const archive = await tarOf({ name, filling: Buffer.alloc(200_000, name) });
      const answer = await this.#acknowledged(`import ${name}`, () =>
        this.#daemon.ask('POST', `/images/create?fromSrc=-&repo=${name}`, archive),
      );
      assert.doesNotMatch(answer.body.toString(), /"error"/);
    };
    return { create, url: `/images/${name}:latest/json` };
  }

  /** Waits until the container is as it may be, and notes which it is. */
  async #settle(known: Known, allowed: readonly Condition[]): Promise<void> {
    let seen = 'nothing';
    let found: Condition | undefined;
    const settled = async (): Promise<boolean> => {
      const inspected = await this.#containers.find(known.id);
      const condition = conditionOf(inspected);
      seen = `${JSON.stringify(condition)} ${inspected?.Name ?? ''} ${inspected?.State.Error ?? ''}`;
      found = allowed.find(
        ({ status, exitCode }) =>
          status === condition.status && (status !== 'exited' || exitCode === condition.exitCode),
      );
      const nameKept = inspected === undefined || inspected.Name === `/${known.name}`;
      return found !== undefined && nameKept;
    };
    try {
      await until(settled, { what: '', patience: 20_000 });
    } catch (error) {
      if (this.#daemon.pid === 0) throw new Unanswered('the daemon is gone', { cause: error });
      assert.fail(
        `${known.name} (${known.id}) may be ${JSON.stringify(allowed)}, but is ${seen}: ${String(error)}`,
      );
    }
    if (found?.status === 'running') {
      const { State } = await this.#containers.inspect(known.id);
      assert.match(readFileSync(`/proc/${State.Pid}/cgroup`, 'utf8'), new RegExp(known.id));
    }
    this.#known = this.#known.filter(({ id }) => id !== known.id);
    if (found !== undefined && found.status !== 'gone') this.#known.push({ ...known, condition: found });
  }

  /** The answer to a request, which must be a good one. */
  async #acknowledged(what: string, request: () => Promise<Answer>): Promise<Answer> {
    let answer: Answer;
    try {
      answer = await request();
    } catch (error) {
      if (this.#daemon.pid === 0) throw new Unanswered(what, { cause: error });
      throw new Error(`${what}: the daemon hung up`, { cause: error });
    }
    assert.ok(answer.status < 300, `${what}: ${answer.status} ${answer.body.toString()}`);
    this.answered += 1;
    return answer;
  }
}

function conditionOf(inspected: Inspected | undefined): Condition {
  if (inspected === undefined) return { status: 'gone', exitCode: 0 };
  const { Status, ExitCode } = inspected.State;
  return { status: Status as Condition['status'], exitCode: ExitCode };
}
