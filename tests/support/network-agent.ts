import { createSocket } from 'node:dgram';
import { connect, createServer } from 'node:net';
import { createInterface } from 'node:readline';

/**
 * A program that serves and asks in its network namespace: reads `{id, op, …}` lines, answers `{id, ok}` or `{id, error}`.
 * What it serves answers every client with "<name> <the client's address>".
 */
interface Order {
  readonly id: number;
  readonly op: 'serve' | 'ask' | 'heard';
  readonly protocol: 'tcp' | 'udp';
  readonly ip: string;
  readonly port: number;
  /** The client's own port, or 0, and address. */
  readonly from: number;
  readonly source: string;
  readonly timeoutMs: number;
}

const name = process.argv[2] ?? '';
/** Addresses of clients whose datagrams have arrived. */
const heard: string[] = [];

function serve({ protocol, ip, port }: Order): Promise<string> {
  return new Promise((resolve, reject) => {
    if (protocol === 'tcp') {
      const server = createServer((socket) => {
        socket.on('error', () => {});
        socket.end(`${name} ${socket.remoteAddress}`);
      });
      server.on('error', reject).listen(port, ip, () => resolve(''));
    } else {
      const server = createSocket('udp4');
      server.on('message', (_data, client) => heard.push(client.address));
      server.on('message', (_data, client) =>
        server.send(`${name} ${client.address}`, client.port, client.address),
      );
      server.on('error', reject).bind(port, ip, () => resolve(''));
    }
  });
}

function ask(order: Order): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const timer = setTimeout(() => reject(new Error('no answer')), order.timeoutMs);
  const stop = order.protocol === 'tcp' ? askTcp(order, resolve, reject) : askUdp(order, resolve, reject);
  return promise.finally(() => {
    clearTimeout(timer);
    stop();
  });
}

function askTcp(order: Order, resolve: (text: string) => void, reject: (error: Error) => void): () => void {
  let answer = '';
  const socket = connect({
    host: order.ip,
    port: order.port,
    localAddress: order.source,
    ...(order.from > 0 && { localPort: order.from }),
  });
  socket.setEncoding('utf8').on('data', (chunk) => {
    answer += chunk;
  });
  socket.on('error', reject).on('end', () => resolve(answer));
  return () => socket.destroy();
}

function askUdp(order: Order, resolve: (text: string) => void, reject: (error: Error) => void): () => void {
  const socket = createSocket('udp4');
  const send = (): void => socket.send('hello', order.port, order.ip);
  socket.on('message', (data) => resolve(data.toString())).on('error', reject);
  socket.bind(order.from, order.source, send);
  return () => socket.close();
}

function answerTo(order: Order): Promise<string> {
  if (order.op === 'heard') return Promise.resolve(heard.join(' '));
  return order.op === 'serve' ? serve(order) : ask(order);
}

for await (const line of createInterface({ input: process.stdin })) {
  const order = JSON.parse(line) as Order;
  answerTo(order).then(
    (ok) => process.stdout.write(`${JSON.stringify({ id: order.id, ok })}\n`),
    (error: Error) => process.stdout.write(`${JSON.stringify({ id: order.id, error: error.message })}\n`),
  );
}
process.exit(0);
