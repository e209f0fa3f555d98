import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { compareVersions } from '#/wire/version.ts';
import type { Call } from './call.ts';

/** Bytes as they are: a terminal, or anything before API 1.42. */
const rawStream = 'application/vnd.docker.raw-stream';
/** Frames of stdout and stderr (wire/frames.ts). */
const multiplexedStream = 'application/vnd.docker.multiplexed-stream';

/** The media type of a stream: only clients that know of multiplexed ones are told that there are two kinds. */
export function streamType(call: Call, tty: boolean): string {
  return tty || compareVersions(call.version, '1.42') < 0 ? rawStream : multiplexedStream;
}

/**
 * Takes the connection of a request for raw bytes in both directions, after answering `101 UPGRADED` if the client asked
 * for an upgrade and `200 OK` if it simply expects it, as old clients do. The request's body must have been read.
 */
export function hijack(call: Call, tty: boolean): Duplex {
  const { upgraded, response } = call;
  const head =
    upgraded === undefined
      ? `HTTP/1.1 200 OK\r\nContent-Type: ${rawStream}\r\n`
      : `HTTP/1.1 101 UPGRADED\r\nContent-Type: ${streamType(call, tty)}\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n`;
  const stream = takeConnection(call);
  const headers = Object.entries(response.getHeaders())
    .map(([name, value]) => `${name}: ${String(value)}\r\n`)
    .join('');
  stream.write(`${head}${headers}\r\n`);
  return stream;
}

/** The connection without HTTP on it. The caller writes the answer. */
export function takeConnection(call: Call): Duplex {
  const { upgraded, request, response } = call;
  if (upgraded !== undefined) {
    // Its answer would have gone there; only the types say that it must be a socket.
    response.detachSocket(upgraded as Socket);
    upgraded.on('error', () => upgraded.destroy());
    call.takeOver(upgraded);
    return upgraded;
  }
  const { socket } = request;
  response.detachSocket(socket);
  // Node gives sockets away for upgrades only. Listening for data ends the parser's direct access to the file
  // descriptor; without its listeners it sees nothing any more. The one for `close` stays: it frees the parser.
  socket.on('data', () => {});
  for (const event of ['data', 'end', 'drain', 'error', 'timeout', 'pause', 'resume']) {
    socket.removeAllListeners(event);
  }
  // A client that resets the connection hangs up like any other: `close` follows and aborts the call.
  socket.on('error', () => socket.destroy());
  socket.pause();
  call.takeOver(socket);
  return socket;
}
