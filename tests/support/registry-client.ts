import assert from 'node:assert/strict';
import { type Digest, digestOf } from '#/oci/digest.ts';

/** What is sent besides method and path. */
export interface Sent {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer | string;
}

/** The bare requests of the distribution protocol, without the cleverness of a client. */
export class RawRegistry {
  readonly #url: string;

  constructor(url: string) {
    this.#url = url;
  }

  /** One request; `target` is a path or what a Location header said. */
  async send(method: string, target: string, { headers = {}, body }: Sent = {}): Promise<Response> {
    return fetch(new URL(target, this.#url), {
      method,
      headers,
      redirect: 'manual',
      ...(body === undefined ? {} : { body }),
    });
  }

  /** Begins an upload and returns its location. */
  async begin(repository: string, query = ''): Promise<string> {
    const response = await this.send('POST', `/v2/${repository}/blobs/uploads/${query}`);
    assert.equal(response.status, 202, await response.text());
    return locationOf(response);
  }

  /** One chunk of an upload, which begins at byte `start`. */
  chunk(
    method: 'PATCH' | 'PUT',
    target: string,
    { content, start }: { content: Buffer; start: number },
  ): Promise<Response> {
    const range = `${start}-${start + content.length - 1}`;
    return this.send(method, target, { headers: { ...octets, 'Content-Range': range }, body: content });
  }

  /** Pushes a blob with POST and PUT. */
  async push(repository: string, content: Buffer, digest: string = digestOf(content)): Promise<Digest> {
    const target = withDigest(await this.begin(repository), digest);
    const response = await this.send('PUT', target, { headers: octets, body: content });
    assert.equal(response.status, 201, await response.text());
    return digest as Digest;
  }

  /**
   * Pushes a document as a manifest of the type that it says, or of `type`; `name` is `repository/manifests/reference`.
   */
  put(name: string, document: object, type: string | undefined = typeOf(document)): Promise<Response> {
    return this.send('PUT', `/v2/${name}`, {
      headers: type === undefined ? {} : { 'Content-Type': type },
      body: JSON.stringify(document),
    });
  }
}

const octets = { 'Content-Type': 'application/octet-stream' };

function typeOf(document: object): string | undefined {
  return 'mediaType' in document && typeof document.mediaType === 'string' ? document.mediaType : undefined;
}

/** The Location header, which must be there. */
export function locationOf(response: Response): string {
  const location = response.headers.get('location');
  assert.ok(location !== null, 'a Location header');
  return location;
}

/** An upload's location with the parameter that ends it. */
export function withDigest(location: string, digest: string): string {
  return `${location}${location.includes('?') ? '&' : '?'}digest=${encodeURIComponent(digest)}`;
}

/** Checks the status, and that an error has the body of the specification; returns the codes. */
export async function errorCodes(response: Response, status: number): Promise<string[]> {
  const text = await response.text();
  assert.equal(response.status, status, text);
  const { errors } = JSON.parse(text) as { errors: { code: string; message: string }[] };
  assert.ok(errors.length > 0);
  for (const { code, message } of errors) {
    assert.match(code, /^[A-Z_]+$/);
    assert.equal(typeof message, 'string');
  }
  return errors.map(({ code }) => code);
}

/** The bytes of a successful answer. */
export async function bytesOf(response: Response, status = 200): Promise<Buffer> {
  const bytes = Buffer.from(await response.arrayBuffer());
  assert.equal(response.status, status, bytes.toString().slice(0, 500));
  return bytes;
}
