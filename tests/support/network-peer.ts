import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** Where and how to talk. */
export interface Target {
  readonly protocol?: 'tcp' | 'udp';
  readonly ip: string;
  readonly port: number;
  /** The client's own port and address. */
  readonly from?: number;
  readonly source?: string;
  /** How long to wait for an answer; short where none is expected. */
  readonly timeoutMs?: number;
}

/** A machine in a network namespace that serves and asks with real sockets. */
export class NetworkPeer implements AsyncDisposable {
  readonly #process: ChildProcess;
  readonly #waiting = new Map<number, PromiseWithResolvers<string>>();
  #orders = 0;

  private constructor(process: ChildProcess) {
    this.#process = process;
    if (process.stdout === null) throw new Error('no pipe');
    createInterface({ input: process.stdout }).on('line', (line) => this.#settle(line));
  }

  /** Starts one called `name` in the namespace pinned at `netns`, or in the present one. */
  static start(name: string, netns?: string): NetworkPeer {
    const agent = [process.execPath, join(import.meta.dirname, 'network-agent.ts'), name];
    const [command = '', ...args] = netns === undefined ? agent : ['nsenter', `--net=${netns}`, ...agent];
    return new NetworkPeer(spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] }));
  }

  /** Serves: answers every client with this peer's name and the client's address. */
  async serve({ ip = '0.0.0.0', ...target }: Omit<Target, 'ip'> & { ip?: string }): Promise<void> {
    await this.#order('serve', { ...target, ip });
  }

  /** What answers there: "<name> <our address as it sees it>". Rejects with the socket's error or "no answer". */
  ask(target: Target): Promise<string> {
    return this.#order('ask', target);
  }

  /** Addresses of the clients whose datagrams have arrived, answered or not. */
  async heard(): Promise<string[]> {
    const clients = await this.#order('heard', { ip: '', port: 0 });
    return clients === '' ? [] : clients.split(' ');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.stdin?.end();
    if (this.#process.exitCode === null) await once(this.#process, 'exit');
  }

  #order(op: 'serve' | 'ask' | 'heard', target: Target): Promise<string> {
    this.#orders += 1;
    const answer = Promise.withResolvers<string>();
    this.#waiting.set(this.#orders, answer);
    const order = {
      id: this.#orders,
      op,
      protocol: 'tcp',
      from: 0,
      source: '0.0.0.0',
      timeoutMs: 5000,
      ...target,
    };
    this.#process.stdin?.write(`${JSON.stringify(order)}\n`);
    return answer.promise;
  }

  #settle(line: string): void {
    const { id, ok, error } = JSON.parse(line) as { id: number; ok?: string; error?: string };
    const answer = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error === undefined) answer?.resolve(ok ?? '');
    else answer?.reject(new Error(error));
  }
}
