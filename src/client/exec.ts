import type { ExecCreateRequest, ExecCreateResponse, ExecInspect, ExecStartRequest } from '#/wire/exec.ts';
import { type Client, type Hijacked, segment } from './client.ts';
import type { TerminalSize } from './containers.ts';

export function createExec(
  client: Client,
  container: string,
  request: ExecCreateRequest,
): Promise<ExecCreateResponse> {
  return client.json('POST', `/containers/${segment(container)}/exec`, { json: request });
}

/** Starts an exec that nobody listens to. */
export function startExec(client: Client, id: string, request: ExecStartRequest): Promise<void> {
  return client.run('POST', `/exec/${segment(id)}/start`, { json: request });
}

/** Starts an exec and connects to it. */
export function attachExec(client: Client, id: string, request: ExecStartRequest): Promise<Hijacked> {
  return client.hijack(`/exec/${segment(id)}/start`, { json: request });
}

export function inspectExec(client: Client, id: string): Promise<ExecInspect> {
  return client.json('GET', `/exec/${segment(id)}/json`);
}

export function resizeExec(client: Client, id: string, { height, width }: TerminalSize): Promise<void> {
  return client.run('POST', `/exec/${segment(id)}/resize`, { query: { h: height, w: width } });
}
