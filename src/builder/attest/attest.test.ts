import assert from 'node:assert/strict';
import { test } from 'node:test';
import { digestOf } from '#/oci/digest.ts';
import { parsePlatform } from '#/oci/platform.ts';
import { parseReference } from '#/oci/reference.ts';
import { readAttestOptions } from './attest-options.ts';
import { type BuildFacts, provenance } from './provenance.ts';
import { sbom } from './spdx.ts';
import { imageSubjects } from './statement.ts';

const platform = parsePlatform('linux/amd64');
const manifest = digestOf('manifest');

const facts: BuildFacts = {
  id: 'build1',
  started: new Date('2024-01-02T03:04:05Z'),
  finished: new Date('2024-01-02T03:05:05Z'),
  source: { uri: 'https://h/r.git#main', digest: { sha1: 'a'.repeat(40) } },
  dockerfile: 'Dockerfile',
  target: 'app',
  args: new Map([['TOKEN', 'hush']]),
  labels: new Map([['l', 'v']]),
  secrets: [{ id: 'npmrc', optional: false }],
  ssh: [],
  locals: [],
  materials: [
    { kind: 'image', name: parseReference('alpine:3.20'), platform, digest: digestOf('alpine') },
    { kind: 'git', url: 'https://h/r.git', commit: 'a'.repeat(40) },
    { kind: 'http', url: 'https://h/f', digest: digestOf('f') },
  ],
  steps: [{ text: 'RUN make', inputs: [0], layer: digestOf('layer') }],
  dockerfileBytes: Buffer.from('FROM alpine\n'),
  hermetic: true,
};

test('provenance: says who built what from what, and more only with mode=max', () => {
  const subjects = imageSubjects([parseReference('me/app:1')], platform, manifest);
  const make = (text: string): { bytes: Buffer; predicateType: string } => {
    const options = readAttestOptions(new Map([['provenance', text]])).provenance;
    assert.ok(options !== undefined);
    return provenance(subjects, facts, options);
  };
  const { bytes, predicateType } = make('mode=min,builder-id=https://b/1,reproducible=true');
  const document = JSON.parse(bytes.toString());
  assert.equal(predicateType, 'https://slsa.dev/provenance/v1');
  assert.deepEqual(document.subject, [
    { name: 'pkg:docker/me/app@1?platform=linux%2Famd64', digest: { sha256: manifest.slice(7) } },
  ]);
  assert.deepEqual(
    document.predicate.buildDefinition.resolvedDependencies.map(({ uri }: { uri: string }) => uri),
    ['pkg:docker/alpine@3.20?platform=linux%2Famd64', 'https://h/r.git', 'https://h/f'],
  );
  assert.equal(document.predicate.buildDefinition.externalParameters.configSource.path, 'Dockerfile');
  assert.equal(document.predicate.runDetails.builder.id, 'https://b/1');
  assert.equal(document.predicate.runDetails.metadata.buildkit_reproducible, true);
  assert.ok(!bytes.includes('hush') && !bytes.includes('npmrc'));
  const full = JSON.parse(make('mode=max').bytes.toString()).predicate.buildDefinition;
  assert.deepEqual(full.externalParameters.request.args, {
    'build-arg:TOKEN': 'hush',
    'label:l': 'v',
    target: 'app',
  });
  assert.deepEqual(full.externalParameters.request.secrets, [{ id: 'npmrc', optional: false }]);
  assert.equal(full.internalParameters.buildConfig.steps[0].op, 'RUN make');
});

test('sbom: is a document of SPDX 2.3 that is the same each time', () => {
  const inventory = {
    distribution: 'debian',
    release: '12',
    packages: [
      {
        kind: 'deb',
        name: 'libstdc++6',
        version: '1:12.2',
        license: '',
        architecture: 'amd64',
        location: 'var/lib/dpkg/status',
      },
      {
        kind: 'npm',
        name: '@a/b',
        version: '1.0',
        license: 'MIT OR Apache-2.0',
        architecture: '',
        location: 'x/package.json',
      },
      {
        kind: 'pypi',
        name: 'My_Pkg',
        version: '2',
        license: 'see <file>',
        architecture: '',
        location: '\xff',
      },
    ],
  } as const;
  const made = { inventory, name: 'app', created: new Date('2024-01-02T03:04:05.678Z') };
  const { bytes, predicateType } = sbom(imageSubjects([], platform, manifest), made);
  assert.deepEqual(bytes, sbom(imageSubjects([], platform, manifest), made).bytes);
  assert.equal(predicateType, 'https://spdx.dev/Document');
  const { subject, predicate } = JSON.parse(bytes.toString());
  assert.equal(subject[0].name, '_');
  assert.equal(predicate.spdxVersion, 'SPDX-2.3');
  assert.equal(predicate.creationInfo.created, '2024-01-02T03:04:05Z');
  const [, ...packages] = predicate.packages;
  assert.deepEqual(
    packages.map(
      ({ externalRefs }: { externalRefs: { referenceLocator: string }[] }) =>
        externalRefs[0]?.referenceLocator,
    ),
    [
      'pkg:deb/debian/libstdc%2B%2B6@1:12.2?arch=amd64&distro=debian-12',
      'pkg:npm/%40a/b@1.0',
      'pkg:pypi/my-pkg@2',
    ],
  );
  assert.deepEqual(
    packages.map(({ licenseDeclared }: { licenseDeclared: string }) => licenseDeclared),
    ['NOASSERTION', 'MIT OR Apache-2.0', 'NOASSERTION'],
  );
  assert.equal(predicate.relationships.length, 4);
});

test('readAttestOptions: takes what clients write and refuses the rest', () => {
  const read = (kind: string, text: string): unknown => readAttestOptions(new Map([[kind, text]]));
  assert.deepEqual(read('provenance', 'disabled=true'), { provenance: undefined, sbom: undefined });
  assert.deepEqual(read('sbom', ''), { provenance: undefined, sbom: { inlineOnly: false } });
  assert.deepEqual(read('provenance', 'mode=max,inline-only=true'), {
    provenance: { mode: 'max', builderId: '', reproducible: false, inlineOnly: true },
    sbom: undefined,
  });
  assert.throws(() => read('provenance', 'mode=middle'), /invalid mode "middle"/);
  assert.throws(() => read('provenance', 'version=v0.2'), { kind: 'notImplemented' });
  assert.throws(() => read('sbom', 'generator=evil/image'), /Skiff scans results itself/);
  assert.throws(() => read('vex', ''), /unsupported attestation type "vex"/);
});
