import type { SecureServerSessionOptions } from 'node:http2';

/** For both ends of HTTP/2 on a connection that was something else before. */
export const connectionOptions: Pick<
  SecureServerSessionOptions,
  'settings' | 'maxSendHeaderBlockLength' | 'maxSessionMemory'
> = {
  settings: {
    enablePush: false,
    // A context comes as one stream with all its files: it should not wait for us at every 64 kB.
    initialWindowSize: 4 * 1024 * 1024,
    maxFrameSize: 1024 * 1024,
    maxConcurrentStreams: 1000,
  },
  // Patterns and error details travel in headers.
  maxSendHeaderBlockLength: 1024 * 1024,
  // Megabytes of headers and of what waits to be sent.
  maxSessionMemory: 64,
};

/** What may be under way on one connection. */
export const connectionWindow: number = 16 * 1024 * 1024;
