import { after, before, test } from 'node:test';
import { digestOf } from '#/oci/digest.ts';
import { mediaTypes } from '#/oci/media-types.ts';
import { hostPlatform } from '#/oci/platform.ts';
import {
  bent,
  changed,
  goodImage,
  type HostileCase,
  HostilePulls,
  type Publish,
  pageForPeople,
} from '#tests/hostile-pulls.ts';

let pulls: HostilePulls;

before(async () => {
  pulls = await HostilePulls.open();
});

after(() => pulls[Symbol.asyncDispose]());

const host = hostPlatform();
const many = (count: number): string[] => Array.from({ length: count }, (_, index) => `${index}`);

/** Manifests of which the digest is not known beforehand. */
const unannounced = { kind: 'headers', set: { 'docker-content-digest': undefined } } as const;

const askedByDigest: Publish = async (content, { faults }) => {
  const { manifest } = await goodImage(content);
  faults.add({ path: '/manifests/', fault: { kind: 'corrupt', at: 10 } });
  return `app@${manifest.digest}`;
};

/** An index of an image whose manifest is described in another way. */
function index(change: object): Publish {
  return async (content) => {
    const { manifest } = await goodImage(content);
    content.addIndex('app', [{ ...manifest, platform: host, ...change }], { tag: '1' });
    return undefined;
  };
}

const disguisedIndex: Publish = async (content) => {
  const { manifest } = await goodImage(content);
  const inner = content.addIndex('app', [manifest]);
  content.addIndex('app', [{ ...inner, mediaType: mediaTypes.manifest, platform: host }], { tag: '1' });
  return undefined;
};

const announcedAsManifest: Publish = async (content) => {
  const { manifest } = await goodImage(content);
  const document = { schemaVersion: 2, manifests: [manifest] };
  content.addManifest('app', document, { tag: '1', mediaType: mediaTypes.manifest });
  return undefined;
};

/** There can be none with right digests. */
const cyclic: Publish = async (content) => {
  const digest = digestOf(Buffer.from('cyclic'));
  const inner = { mediaType: mediaTypes.index, digest, size: 1000, platform: host };
  const document = { schemaVersion: 2, mediaType: mediaTypes.index, manifests: [inner] };
  content.addManifest('app', document, { digest, tag: '1' });
  return undefined;
};

const nested: Publish = async (content) => {
  let inner = (await goodImage(content)).manifest;
  for (let depth = 0; depth < 5; depth += 1) inner = content.addIndex('app', [inner], { tag: '1' });
  return undefined;
};

const tooManyManifests: Publish = async (content) => {
  const { manifest } = await goodImage(content);
  content.addIndex(
    'app',
    many(1001).map(() => manifest),
    { tag: '1' },
  );
  return undefined;
};

const deep: Publish = async (content) => {
  const text = `{"schemaVersion":2,"x":${'['.repeat(100_000)}${']'.repeat(100_000)}}`;
  content.addManifest('app', Buffer.from(text), { tag: '1', mediaType: mediaTypes.manifest });
  return undefined;
};

const noJson: Publish = async (content) => {
  const config = { ...content.addBlob('app', Buffer.from('nonsense')), mediaType: mediaTypes.config };
  const document = { schemaVersion: 2, mediaType: mediaTypes.manifest, config, layers: [] };
  content.addManifest('app', document, { tag: '1' });
  return undefined;
};

/** A good image but for its configuration. */
function configured(config: object): Publish {
  return async (content) => {
    await goodImage(content, '1', config);
    return undefined;
  };
}

const schema1 = 'application/vnd.docker.distribution.manifest.v1+prettyjws';
const passwd = 'sha256:../../../../etc/passwd';

const cases: readonly HostileCase[] = [
  [
    'a manifest with another digest than was asked for',
    askedByDigest,
    /verification failed for digest .*: the registry sent content with/,
  ],
  [
    'a manifest with another digest than was announced',
    bent('manifest', { kind: 'corrupt', at: 10 }),
    /verification failed for digest/,
  ],
  [
    'a manifest of which a part is missing',
    bent('manifest', { kind: 'truncate', bytes: 100 }),
    /verification failed for digest/,
  ],
  [
    'a manifest that is cut, of unknown digest',
    bent('manifest', { kind: 'truncate', bytes: 100 }, unannounced),
    /JSON/,
  ],
  [
    'a manifest whose connection breaks',
    bent('manifest', { kind: 'cut', after: 50 }),
    /broke off.*gave up after 2 tries/,
  ],
  [
    'a manifest of unknown type',
    changed(() => ({ mediaType: 'application/x-unknown' })),
    /"application\/x-unknown" is neither/,
  ],
  ['a page for people', bent('manifest', pageForPeople()), /"text\/html" is neither/],
  ['a manifest in schema 1', changed(() => ({}), schema1), /schema 1 .*no longer supported/],
  [
    'an index that is announced as a manifest',
    announcedAsManifest,
    /manifest must not have a member "manifests"/,
  ],
  [
    'a manifest that is announced as an index',
    changed(() => ({ mediaType: undefined }), mediaTypes.index),
    /index must not have a member/,
  ],
  ['an index where an index said that a manifest is', disguisedIndex, /announced as|must not have a member/],
  [
    'a document that is both',
    changed(({ manifest }) => ({ manifests: [manifest] })),
    /must not have a member/,
  ],
  [
    'a document that says to be something else',
    changed(() => ({ mediaType: mediaTypes.index }), mediaTypes.manifest),
    /says that it is .* but was announced as/,
  ],
  [
    'a manifest that is too large',
    changed(() => ({ annotations: { x: 'x'.repeat(5 << 20) } })),
    /more than 4194304 bytes/,
  ],
  [
    'too many annotations',
    changed(({ config }) => ({
      config: { ...config, annotations: Object.fromEntries(many(1001).map((key) => [key, ''])) },
    })),
    /annotations.*1000/,
  ],
  ['too many layers', changed(({ layers }) => ({ layers: many(501).map(() => layers[0]) })), /layers.*500/],
  ['too many manifests', tooManyManifests, /manifests.*1000/],
  ['JSON that is nested too deep', deep, /nested/],
  ['an index that contains itself', cyclic, /verification failed for digest/],
  ['indexes in indexes', nested, /nested more than 3 levels deep/],
  ['an index that lies about sizes', index({ size: 1 }), /has \d+ bytes, but its index says 1/],
  [
    'an index whose manifest is too large',
    index({ size: 5 << 20 }),
    /has 5242880 bytes, more than the 4194304/,
  ],
  [
    'an index for other platforms',
    index({ platform: { os: 'linux', architecture: 's390x' } }),
    /no matching manifest for linux\/amd64/,
  ],
  [
    'a digest that is a path',
    changed(({ config }) => ({ config: { ...config, digest: passwd } })),
    /not a digest/,
  ],
  [
    'an artifact that is no image',
    changed(({ config }) => ({ config: { ...config, mediaType: 'application/x-a' } })),
    /"application\/x-a" is not the configuration/,
  ],
  [
    'a layer from elsewhere',
    changed(({ layers: [one] }) => ({ layers: [{ ...one, urls: ['http://169.254.169.254/'] }] })),
    /foreign layers/,
  ],
  [
    'a layer of unknown type',
    changed(({ layers: [one, two] }) => ({ layers: [one, { ...two, mediaType: 'a/b' }] })),
    /layers of type "a\/b" are not supported/,
  ],
  [
    'a configuration with another digest',
    bent('config', { kind: 'corrupt' }),
    /image configuration .* came with other content/,
  ],
  [
    'a configuration that is shorter',
    bent('config', { kind: 'truncate', bytes: 20 }),
    /has 20 bytes at the registry, its descriptor says/,
  ],
  [
    'a configuration that is longer',
    bent('config', { kind: 'pad', bytes: 20 }),
    /bytes at the registry, its descriptor says/,
  ],
  [
    'a configuration that is too large',
    changed(({ config }) => ({ config: { ...config, size: 5 << 20 } })),
    /more than the \d+ that are allowed/,
  ],
  ['a configuration that is no JSON', noJson, /JSON/],
  ['a history without end', configured({ history: many(10_001).map(() => ({})) }), /history.*10000/],
  [
    'a configuration for other layers',
    changed(({ layers }) => ({ layers: layers.slice(1) })),
    /has 2 layers, its manifest 1/,
  ],
  [
    'a configuration for another system',
    configured({ os: 'windows' }),
    /operating system "windows" cannot be used/,
  ],
];

for (const hostile of cases) {
  test(`pull: ${hostile[0]} is refused clearly, and leaves nothing`, () => pulls.refuses(hostile));
}

test('pull: after all wrong manifests everything is as before, also after a start', () =>
  pulls.leavesNothing());
