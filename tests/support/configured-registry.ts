import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { hashSync } from 'bcryptjs';
import { silentLogger } from '#/base/log.ts';
import { digestOf } from '#/oci/digest.ts';
import { mediaTypes } from '#/oci/media-types.ts';
import { loadConfig, type RegistryConfig } from '#/registry/server/config/config.ts';
import { parseFlags } from '#/registry/server/config/flags.ts';
import { Registry } from '#/registry/server/registry.ts';
import { type ScratchDir, scratchDir } from './scratch-dir.ts';

/** A registry of this process, and where it is. */
export interface ConfiguredRegistry extends AsyncDisposable {
  readonly registry: Registry;
  readonly url: string;
  readonly dir: ScratchDir;
  /** Lines of the access log. */
  readonly lines: string[];
  /** Another configuration for the same registry. */
  readonly configure: (json: object) => RegistryConfig;
}

/** A registry with a configuration file, on a port of its own. */
export async function openRegistry(
  json: object,
  prepare: (dir: ScratchDir) => void = () => {},
): Promise<ConfiguredRegistry> {
  await using stack = new AsyncDisposableStack();
  const dir = stack.use(scratchDir());
  prepare(dir);
  const configure = (settings: object): RegistryConfig => {
    const all = { listen: ['127.0.0.1:0'], data: 'data', drain: '2s', ...settings };
    writeFileSync(dir.join('config.json'), JSON.stringify(all));
    return loadConfig(parseFlags(['--config', dir.join('config.json')]));
  };
  const lines: string[] = [];
  const config = configure(json);
  const registry = stack.use(
    await Registry.open({ config, log: silentLogger(), writeRequest: (line) => lines.push(line) }),
  );
  const port = registry.ports.at(-1);
  const url = `${config.tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`;
  const owned = stack.move();
  return { registry, url, dir, lines, configure, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** Writes a file of users whose passwords are their names with `-pw`. */
export function users(...names: readonly string[]): (dir: ScratchDir) => void {
  return (dir) =>
    writeFileSync(dir.join('users'), names.map((name) => `${name}:${hashSync(`${name}-pw`, 4)}`).join('\n'));
}

/** The headers of such a user. */
export function basic(name: string): Record<string, string> {
  return { Authorization: `Basic ${Buffer.from(`${name}:${name}-pw`).toString('base64')}` };
}

/** Pushes an image of one layer with these headers; the status of the last answer. */
export async function pushImage(
  url: string,
  repository: string,
  headers: Record<string, string> = {},
): Promise<number> {
  const [config, layer] = [Buffer.from('{}'), randomBytes(1000)];
  for (const content of [config, layer]) {
    const response = await fetch(`${url}/v2/${repository}/blobs/uploads/?digest=${digestOf(content)}`, {
      method: 'POST',
      headers: { ...headers, 'Content-Type': 'application/octet-stream' },
      body: content,
    });
    await response.body?.cancel();
    if (response.status !== 201) return response.status;
  }
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    config: { mediaType: mediaTypes.config, digest: digestOf(config), size: config.length },
    layers: [{ mediaType: mediaTypes.layer, digest: digestOf(layer), size: layer.length }],
  });
  const put = await fetch(`${url}/v2/${repository}/manifests/latest`, {
    method: 'PUT',
    headers: { ...headers, 'Content-Type': mediaTypes.manifest },
    body: manifest,
  });
  await put.body?.cancel();
  return put.status;
}

/** The status of the answer to a GET. */
export async function statusOf(url: string, headers: Record<string, string> = {}): Promise<number> {
  const response = await fetch(url, { headers });
  await response.body?.cancel();
  return response.status;
}
