import { isIP } from 'node:net';

/** An address to listen on: `127.0.0.1:5000`, `[::1]:5000`, `:5000` for all addresses. */
export interface ListenAddress {
  /** An IP address or `localhost`; undefined for all. */
  readonly host: string | undefined;
  readonly port: number;
}

/** Reads an address; undefined if `text` is none. */
export function parseListen(text: string): ListenAddress | undefined {
  const [, bracketed, plain = '', port = ''] =
    /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]*)):(\d{1,5})$/.exec(text) ?? [];
  if (port === '' || Number(port) > 65_535) return undefined;
  if (bracketed !== undefined && isIP(bracketed) !== 6) return undefined;
  if (plain !== '' && plain !== 'localhost' && isIP(plain) !== 4) return undefined;
  const host = bracketed ?? (plain === '' ? undefined : plain);
  return Object.freeze({ host, port: Number(port) });
}

/** Whether only this machine can reach the address. */
export function isLoopback({ host }: ListenAddress): boolean {
  return host === 'localhost' || host === '::1' || host?.startsWith('127.') === true;
}

/** What is wrong with an address that `parseListen` did not take. */
export function addressComplaint(text: string): string {
  return `${JSON.stringify(text)} is no address to listen on; it is like 127.0.0.1:5000, [::1]:5000, or :5000 for all addresses`;
}
