import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mediaTypes } from '#/oci/media-types.ts';
import { TestDaemon } from './daemon.ts';
import type { KeptImage, RegistryContent } from './faulty-registry/content.ts';
import type { Fault } from './faulty-registry/faults.ts';
import { type FaultyRegistry, openFaultyRegistry } from './faulty-registry.ts';
import { tarOf } from './images.ts';
import { type Holdings, holdingsOf, sameAs } from './leak-check.ts';
import { pullError } from './pull-client.ts';
import { valueOf } from './test-containers.ts';

/** Puts something into the repository `app` under the tag `1`, and chooses what goes wrong. Gives the name to pull if it is another. */
export type Publish = (content: RegistryContent, registry: FaultyRegistry) => Promise<string | undefined>;

/** What is published, and what a pull of it says. */
export type HostileCase = readonly [title: string, publish: Publish, error: RegExp];

/** A daemon that pulls from a registry which means ill. */
export class HostilePulls implements AsyncDisposable {
  readonly #daemon: TestDaemon;
  readonly #registry: FaultyRegistry;
  readonly #clean: Holdings;

  private constructor(daemon: TestDaemon, registry: FaultyRegistry) {
    this.#daemon = daemon;
    this.#registry = registry;
    this.#clean = holdingsOf(daemon);
  }

  static async open(): Promise<HostilePulls> {
    const registry = await openFaultyRegistry();
    return new HostilePulls(await TestDaemon.start(['--max-download-attempts=2']), registry);
  }

  /**
   * The pull fails with a clear error, shows no image, and leaves nothing, or with `keeps` only what the next attempt can use. Then
   * good content of the same names can be pulled.
   */
  async refuses(
    [, publish, expected]: HostileCase,
    { keeps = false }: { keeps?: boolean } = {},
  ): Promise<void> {
    const { content, faults, host } = this.#registry;
    content.repositories.clear();
    faults.clear();
    const name = (await publish(content, this.#registry)) ?? 'app:1';
    const error = (await pullError(this.#daemon, `${host}/${name}`)) ?? 'no error';
    assert.match(error, expected);

    // What is told to people is one line, of bearable length.
    assert.ok(error.length < 1000 && !/\p{Cc}/u.test(error), error);
    assert.deepEqual(valueOf(await this.#daemon.ask('GET', '/images/json?all=1'), 200), []);
    if (!keeps) assert.deepEqual(this.#left(), []);
    for (const path of this.#left()) assert.match(path, /content\/(partial|blobs\/sha256)\/./);
    // What was wrong is not remembered.
    faults.clear();
    if (!keeps) {
      content.repositories.clear();
      await goodImage(content, '1');
    }
    assert.equal(await pullError(this.#daemon, `${host}/app:1`), undefined);
    assert.equal((await this.#daemon.ask('DELETE', `/images/${host}/app:1`)).status, 200);
    assert.deepEqual(this.#left(), []);
  }

  /** Pulls what may be refused or not, and removes it again. */
  async pulls(publish: Publish): Promise<string | undefined> {
    const { content, faults, host } = this.#registry;
    content.repositories.clear();
    faults.clear();
    await publish(content, this.#registry);
    const error = await pullError(this.#daemon, `${host}/app:1`);
    if (error === undefined) {
      assert.equal((await this.#daemon.ask('DELETE', `/images/${host}/app:1`)).status, 200);
    }
    assert.deepEqual(this.#left(), []);
    return error;
  }

  /** All is as before the first pull, also after another start. */
  async leavesNothing(): Promise<void> {
    await sameAs(this.#daemon, this.#clean);
    await this.#daemon.down();
    await this.#daemon.up();
    await sameAs(this.#daemon, this.#clean);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#daemon[Symbol.asyncDispose]();
    await this.#registry[Symbol.asyncDispose]();
  }

  #left(): string[] {
    const { data } = holdingsOf(this.#daemon);
    // The marks of blobs that are on their way to the disk go by themselves.
    return data.filter((path) => !this.#clean.data.includes(path) && !path.includes('/settling/'));
  }
}

/** An image with a small layer, which is unpacked in the daemon's thread, and one that has a thread of its own. */
export async function goodImage(
  content: RegistryContent,
  tag?: string,
  config: object = {},
): Promise<KeptImage> {
  const layers = [await tarOf({ small: randomBytes(100) }), await tarOf({ large: randomBytes(2 << 20) })];
  return content.addImage('app', layers, { ...(tag !== undefined && { tag }), config });
}

/** A good image, of which the document or blob that is chosen goes wrong on its way. */
export function bent(which: 'manifest' | 'config' | 'small' | 'large', ...bends: readonly Fault[]): Publish {
  return async (content, { faults }) => {
    const { config, layers } = await goodImage(content, '1');
    const [small = config, large = config] = layers;
    const path = which === 'manifest' ? '/manifests/' : { config, small, large }[which].digest;
    faults.add(...bends.map((fault) => ({ path, fault })));
    return undefined;
  };
}

/** A manifest that is made of a good image's, perhaps announced as something else. */
export function changed(change: (made: KeptImage) => object, mediaType?: string): Publish {
  return async (content) => {
    const made = await goodImage(content);
    const good = {
      schemaVersion: 2,
      mediaType: mediaTypes.manifest,
      config: made.config,
      layers: made.layers,
    };
    const announced = mediaType === undefined ? {} : { mediaType };
    content.addManifest('app', { ...good, ...change(made) }, { tag: '1', ...announced });
    return undefined;
  };
}

/** What stands between clients and a registry answers instead. */
export function pageForPeople(): Fault {
  const headers = { 'content-type': 'text/html' };
  return { kind: 'answer', answer: { status: 200, headers, body: '<html></html>' } };
}
