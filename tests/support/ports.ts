import { request } from 'node:http';
import { close } from '#/kernel/at.ts';
import { bindPort } from '#/kernel/socket-bind.ts';

/** A TCP port of this network namespace that nobody uses. */
export function freePort(): number {
  const { fd, port } = bindPort({ proto: 'tcp', ip: '0.0.0.0', port: 0 });
  close(fd);
  return port;
}

/** What a web server says; undefined while there is none. */
export function fetchText(url: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const call = request(url, { agent: false, timeout: 5_000 }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () => resolve(text)).on('error', () => resolve(undefined));
    });
    call.on('timeout', () => call.destroy());
    call.on('error', () => resolve(undefined)).end();
  });
}
