import { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import { internal, messageOf, notFound, unavailable } from '#/base/errors.ts';
import type { BlobReading, ByteRange } from '../blob-storage.ts';
import type { S3Request, S3Requests } from './s3-request.ts';
import { elements, elementText, encodeEntities } from './xml.ts';

/** A small object, read whole. */
export interface S3Object {
  readonly bytes: Buffer;
  /** Names this version of it. */
  readonly etag: string;
  /** Milliseconds since 1970, in whole seconds. */
  readonly modified: number;
}

/** An object in a listing. */
export interface S3Entry {
  readonly key: string;
  readonly size: number;
  readonly etag: string;
  readonly modified: number;
}

/** What must be true for a write: the object is not there, or is still this version. */
export type Condition = { readonly absent: true } | { readonly etag: string };

/** A part of a multipart upload that is in the bucket. */
export interface S3Part {
  readonly number: number;
  readonly etag: string;
  readonly size: number;
}

/** Which objects are listed. */
export interface ListOptions {
  readonly prefix: string;
  /** Begin behind this key. */
  readonly after?: string;
  /** Objects per request. */
  readonly page?: number;
}

/**
 * The objects of a bucket, below the prefix of the configuration. S3 is strongly consistent: whoever reads or lists after a
 * write was answered sees it. Conditional writes (If-None-Match, If-Match) are atomic where the service has them; services
 * that ignore these headers lose that protection, not the write.
 */
export class Bucket {
  readonly #requests: S3Requests;
  /** In front of the keys that the service lists. */
  readonly #prefix: string;

  constructor(requests: S3Requests, prefix: string) {
    this.#requests = requests;
    this.#prefix = prefix;
  }

  /** The object; undefined if there is none. */
  async get(key: string): Promise<S3Object | undefined> {
    const answer = await this.#requests.send({ method: 'GET', key }, [404]);
    if (!(answer instanceof Response)) return undefined;
    return {
      bytes: Buffer.from(await answer.arrayBuffer()),
      etag: answer.headers.get('etag') ?? '',
      modified: Date.parse(answer.headers.get('last-modified') ?? '') || 0,
    };
  }

  /** Bytes of the object; undefined if there is none. */
  async size(key: string): Promise<number | undefined> {
    const answer = await this.#requests.send({ method: 'HEAD', key }, [404]);
    return answer instanceof Response ? Number(answer.headers.get('content-length') ?? 0) : undefined;
  }

  /** Opens a part of a large object. Throws `notFound`. */
  async open(key: string, { start, end }: ByteRange): Promise<BlobReading> {
    const range = `bytes=${start}-${end}`;
    // An empty object has no range.
    const headers = end < start ? {} : { range };
    const answer = await this.#requests.send({ method: 'GET', key, headers, isStream: true }, [404]);
    if (!(answer instanceof Response)) throw notFound(`"${key}" is not in the bucket`);
    return new ObjectReading(answer, Math.max(0, end - start + 1));
  }

  /** Writes an object. Returns its version; undefined if the condition does not hold. */
  async put(
    key: string,
    body: Uint8Array<ArrayBuffer> | string,
    condition?: Condition,
  ): Promise<string | undefined> {
    const headers: Record<string, string> = {};
    if (condition !== undefined) {
      if ('absent' in condition) headers['if-none-match'] = '*';
      else headers['if-match'] = condition.etag;
    }
    // 409: another conditional write of the same key is under way; 404: what was to be replaced is gone.
    const answer = await this.#requests.send(
      { method: 'PUT', key, headers, body },
      condition === undefined ? [] : [404, 409, 412],
    );
    if (!(answer instanceof Response)) return undefined;
    return answer.headers.get('etag') ?? '';
  }

  /** Removes an object, if it is still this version; one that is not there is no error. */
  async remove(key: string, etag?: string): Promise<void> {
    const headers: Record<string, string> = etag === undefined ? {} : { 'if-match': etag };
    await this.#requests.send({ method: 'DELETE', key, headers }, [404, 409, 412]);
  }

  /** Objects in the order of their keys' bytes (by the first version of the request, which every service has). */
  async *list({ prefix, after, page = 1000 }: ListOptions): AsyncGenerator<S3Entry, void, undefined> {
    let start = after;
    for (;;) {
      const query: Record<string, string> = {
        prefix: `${this.#prefix}${prefix}`,
        'max-keys': String(page),
        ...(start === undefined ? {} : { marker: `${this.#prefix}${start}` }),
      };
      const answer = await this.#requests.succeed({ method: 'GET', key: undefined, query });
      const xml = await answer.text();
      const entries = elements(xml, 'Contents').map((entry) => this.#entry(entry));
      yield* entries;
      const last = entries.at(-1);
      if (elementText(xml, 'IsTruncated') !== 'true' || last === undefined) return;
      start = last.key;
    }
  }

  /** Begins a multipart upload and returns its identifier. */
  async beginMultipart(key: string): Promise<string> {
    const answer = await this.#requests.succeed({ method: 'POST', key, query: { uploads: '' } });
    const id = elementText(await answer.text(), 'UploadId');
    if (id === undefined || id === '')
      throw internal(`the bucket gave no identifier for the upload of "${key}"`);
    return id;
  }

  /** Uploads one part and returns its version. */
  async putPart(
    key: string,
    upload: { id: string; number: number },
    body: Uint8Array<ArrayBuffer>,
  ): Promise<string> {
    const query = { partNumber: String(upload.number), uploadId: upload.id };
    const answer = await this.#requests.succeed({ method: 'PUT', key, query, body });
    const etag = answer.headers.get('etag');
    if (etag === null) throw internal(`the bucket gave no ETag for a part of "${key}"`);
    return etag;
  }

  /** Makes the parts an object. False: there is no such upload any more. */
  async completeMultipart(key: string, id: string, parts: readonly S3Part[]): Promise<boolean> {
    const list = parts.map(
      ({ number, etag }) =>
        `<Part><PartNumber>${number}</PartNumber><ETag>${encodeEntities(etag)}</ETag></Part>`,
    );
    const body = `<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${list.join('')}</CompleteMultipartUpload>`;
    const request: S3Request = { method: 'POST', key, query: { uploadId: id }, body };
    const answer = await this.#requests.send(request, [404]);
    if (!(answer instanceof Response)) return false;
    // It can be 200 and still have failed ("CompleteMultipartUpload", API reference).
    const xml = await answer.text();
    const code = elementText(xml, 'Code');
    if (code !== undefined && elementText(xml, 'ETag') === undefined) {
      throw unavailable(
        `cannot put the parts of "${key}" together: ${code}: ${elementText(xml, 'Message') ?? ''}`,
      );
    }
    return true;
  }

  /** Drops the parts of an upload; one that is not there is no error. */
  async abortMultipart(key: string, id: string): Promise<void> {
    // Some services cannot (405, 501) and drop parts by themselves after a while.
    await this.#requests.send({ method: 'DELETE', key, query: { uploadId: id } }, [404, 405, 501]);
  }

  /** A URL at which anybody can GET the object for so many seconds. */
  async presign(key: string, seconds: number): Promise<string> {
    return await this.#requests.presign(key, seconds);
  }

  #entry(xml: string): S3Entry {
    return {
      key: (elementText(xml, 'Key') ?? '').slice(this.#prefix.length),
      size: Number(elementText(xml, 'Size') ?? 0),
      etag: elementText(xml, 'ETag') ?? '',
      modified: Date.parse(elementText(xml, 'LastModified') ?? '') || 0,
    };
  }
}

/** The body of an answer, which must have so many bytes. */
class ObjectReading implements BlobReading {
  readonly #response: Response;
  readonly #length: number;

  constructor(response: Response, length: number) {
    this.#response = response;
    this.#length = length;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    const { body } = this.#response;
    let left = this.#length;
    if (body !== null) {
      try {
        for await (const chunk of Readable.fromWeb(body as ReadableStream<Uint8Array>)) {
          const piece = (chunk as Uint8Array).subarray(0, left);
          left -= piece.length;
          if (piece.length > 0) yield piece;
        }
      } catch (error) {
        throw unavailable(`the bucket broke off in the middle of an object: ${messageOf(error)}`, error);
      }
    }
    if (left > 0) throw unavailable(`the bucket sent ${left} bytes too few of an object`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#response.body?.locked === false) await this.#response.body.cancel();
  }
}
