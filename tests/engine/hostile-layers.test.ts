import { randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { mediaTypes } from '#/oci/media-types.ts';
import { bent, type HostileCase, HostilePulls, type Publish, pageForPeople } from '#tests/hostile-pulls.ts';
import { configOf, tarOf } from '#tests/images.ts';

let pulls: HostilePulls;

before(async () => {
  pulls = await HostilePulls.open();
});

after(() => pulls[Symbol.asyncDispose]());

/** An image of one layer: its blob, and the archive that its configuration means. */
function layer(make: () => Promise<{ blob: Buffer; archive: Buffer }>): Publish {
  return async (content) => {
    const { blob, archive } = await make();
    const layers = [{ ...content.addBlob('app', blob), mediaType: mediaTypes.layerGzip }];
    const text = Buffer.from(configOf([archive]));
    const config = { ...content.addBlob('app', text), mediaType: mediaTypes.config };
    const document = { schemaVersion: 2, mediaType: mediaTypes.manifest, config, layers };
    content.addManifest('app', document, { tag: '1' });
    return undefined;
  };
}

const nonsense = (blob: Buffer): Publish => layer(async () => ({ blob, archive: Buffer.from('nonsense') }));

const endsEarly = layer(async () => {
  const archive = await tarOf({ a: randomBytes(3 << 20) });
  return { blob: gzipSync(archive).subarray(0, 2 << 20), archive };
});

const otherContent = layer(async () => {
  return { blob: gzipSync(await tarOf({ a: '1' })), archive: await tarOf({ a: '2' }) };
});

/** An archive with a good file, and then one of these names. */
function named(path: string): Publish {
  return layer(async () => {
    const archive = await tarOf({ good: 'x', [path]: 'x' });
    return { blob: gzipSync(archive), archive };
  });
}

const ofUnknownLength = {
  kind: 'headers',
  set: { 'content-length': undefined, 'transfer-encoding': 'chunked' },
} as const;

const wrong = (['small', 'large'] as const).flatMap((which): readonly HostileCase[] => [
  [
    `a ${which} layer with another digest`,
    bent(which, { kind: 'corrupt', at: 50 }),
    /Content has digest .*, expected sha256:/,
  ],
  [
    `a ${which} layer that is shorter`,
    bent(which, { kind: 'truncate', bytes: 50 }),
    /has 50 bytes at the registry, its descriptor says/,
  ],
  [
    `a ${which} layer that is longer`,
    bent(which, { kind: 'pad', bytes: 50 }),
    /bytes at the registry, its descriptor says/,
  ],
  [
    `a ${which} layer of unknown length that is longer`,
    bent(which, { kind: 'pad', bytes: 50 }, ofUnknownLength),
    /longer than the \d+ bytes of its descriptor/,
  ],
  [
    `a page for people instead of a ${which} layer`,
    bent(which, pageForPeople()),
    /has 13 bytes at the registry, its descriptor says/,
  ],
]);

const archives: readonly HostileCase[] = [
  ['a layer that is no archive', nonsense(gzipSync('nonsense')), /archive/i],
  ['a layer that is no gzip', nonsense(Buffer.from('\x1f\x8b\x08nonsense', 'latin1')), /archive|gzip/i],
  ['a layer whose gzip ends early', endsEarly, /archive|gzip|ends/i],
  [
    'a layer with other content than the configuration says',
    otherContent,
    /has diff id .*, expected sha256:/,
  ],
  ['a layer that leads out of its folder', named('../../../../../../tmp/skiff-escaped'), /\.\./],
  ['a layer with a name that is too long', named('x'.repeat(300)), /name too long/i],
];

for (const hostile of [...wrong, ...archives]) {
  test(`pull: ${hostile[0]} is refused clearly, and leaves nothing`, () => pulls.refuses(hostile));
}

/** A redirect of a layer. */
function leadsTo(location: string): Publish {
  return bent('large', { kind: 'answer', answer: { status: 307, headers: { location } } });
}

const unavailable: readonly HostileCase[] = [
  ['a layer that is not there', bent('large', { kind: 'answer', answer: { status: 404 } }), /404/],
  ['a layer that may not be read', bent('large', { kind: 'answer', answer: { status: 403 } }), /403/],
  ['a layer that leads in a circle', leadsTo('#'), /more than 5 redirects/],
  ['a layer that leads to a file', leadsTo('file:///etc/passwd'), /leads to "file:/],
  [
    'a registry without an answer',
    bent('large', { kind: 'reset' }),
    /cannot download .* from .*gave up after 2 tries/,
  ],
  [
    'a connection that breaks',
    bent('large', { kind: 'cut', after: 0 }),
    /cannot download .* from .*gave up after 2 tries/,
  ],
  [
    'a registry that is overloaded',
    bent('large', { kind: 'answer', answer: { status: 503, headers: { 'retry-after': '0' } } }),
    /503 .*gave up after 2 tries/,
  ],
];

for (const hostile of unavailable) {
  test(`pull: ${hostile[0]} is told clearly, shows nothing, and is no harm for the next attempt`, () =>
    pulls.refuses(hostile, { keeps: true }));
}

test('pull: after all wrong layers everything is as before, also after a start', () => pulls.leavesNothing());
