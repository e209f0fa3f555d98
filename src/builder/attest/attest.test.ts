import assert from 'node:assert/strict';
import { test } from 'node:test';
import { digestOf } from '#/oci/digest.ts';
import { parsePlatform } from '#/oci/platform.ts';
import { parseReference } from '#/oci/reference.ts';
import type { ImageNode } from '../plan/graph.ts';
import { readAttestOptions } from './attest-options.ts';
import { type BuildFacts, provenance } from './provenance.ts';
import { sbom } from './spdx.ts';
import { imageSubjects } from './statement.ts';

const platform = parsePlatform('linux/amd64');
const manifest = digestOf('manifest');

// oxlint-disable-next-line typescript/no-explicit-any -- documents of any form
type Loose = any;

const base: ImageNode = {
  kind: 'image',
  digest: digestOf('base'),
  name: 'FROM alpine:3.20',
  reference: 'alpine:3.20',
  platform,
};

const facts: BuildFacts = {
  id: 'build1',
  started: new Date('2024-01-02T03:04:05Z'),
  finished: new Date('2024-01-02T03:05:05Z'),
  source: { uri: 'https://h/r.git#main', digest: { sha1: 'a'.repeat(40) } },
  dockerfile: 'Dockerfile',
  args: new Map([
    ['build-arg:TOKEN', 'hush'],
    ['label:l', 'v'],
    ['target', 'app'],
  ]),
  vcs: new Map([['revision', 'abc']]),
  secrets: [{ id: 'npmrc', optional: false }],
  ssh: [],
  locals: [],
  materials: [
    { kind: 'image', name: parseReference('alpine:3.20'), platform, digest: digestOf('alpine') },
    { kind: 'git', url: 'https://h/r.git', commit: 'a'.repeat(40) },
    { kind: 'http', url: 'https://h/f', digest: digestOf('f') },
  ],
  results: new Map([['linux/amd64', base]]),
  dockerfileBytes: Buffer.from('FROM alpine\n'),
  hermetic: true,
};

/** What is said with these options, as a client writes them. */
function said(text: string): { type: string; members: Loose } {
  const options = readAttestOptions(new Map([['provenance', text]])).provenance;
  assert.ok(options !== undefined);
  const { type, members } = provenance(facts, platform, options);
  return { type, members: JSON.parse(JSON.stringify(members)) };
}

test('provenance: says who built what from what, and more only with mode=max', () => {
  const { type, members } = said('mode=min,builder-id=https://b/1,reproducible=true');
  assert.equal(type, 'https://slsa.dev/provenance/v1');
  const { buildDefinition, runDetails } = members;
  assert.deepEqual(
    buildDefinition.resolvedDependencies.map(({ uri }: { uri: string }) => uri),
    ['pkg:docker/alpine@3.20?platform=linux%2Famd64', 'https://h/r.git', 'https://h/f'],
  );
  assert.deepEqual(buildDefinition.externalParameters, {
    configSource: { ...facts.source, path: 'Dockerfile' },
    request: { frontend: 'dockerfile.v0', args: { target: 'app' } },
  });
  assert.equal(runDetails.builder.id, 'https://b/1');
  assert.equal(runDetails.metadata.buildkit_reproducible, true);
  assert.equal(runDetails.metadata.buildkit_completeness.request, false);
  assert.doesNotMatch(JSON.stringify(members), /hush|npmrc|RUN make/);
  const full = said('mode=max').members;
  const { request } = full.buildDefinition.externalParameters;
  assert.deepEqual(request.args, { 'build-arg:TOKEN': 'hush', 'label:l': 'v', target: 'app' });
  assert.deepEqual(request.secrets, [{ id: 'npmrc' }]);
  const [step] = full.buildDefinition.internalParameters.buildConfig.llbDefinition;
  assert.deepEqual(step.op.Op.source, { identifier: 'docker-image://docker.io/library/alpine:3.20' });
  const { vcs, source } = full.runDetails.metadata.buildkit_metadata;
  assert.deepEqual(vcs, { revision: 'abc' });
  assert.equal(source.infos[0].data, Buffer.from('FROM alpine\n').toString('base64'));
});

test('provenance: of version 0.2 is what clients look for in the history', () => {
  const { type, members } = said('version=v0.2,mode=max,builder-id=https://b/1');
  assert.equal(type, 'https://slsa.dev/provenance/v0.2');
  assert.deepEqual(Object.keys(members), [
    'builder',
    'buildType',
    'materials',
    'invocation',
    'buildConfig',
    'metadata',
  ]);
  assert.deepEqual(members.invocation.configSource, { ...facts.source, entryPoint: 'Dockerfile' });
  assert.deepEqual(members.invocation.environment, { platform: 'linux/amd64' });
  assert.deepEqual(members.metadata.completeness, { parameters: true, environment: true, materials: true });
  assert.equal(members.metadata['https://mobyproject.org/buildkit@v1#hermetic'], true);
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
    provenance: { mode: 'max', version: 'v1', builderId: '', reproducible: false, inlineOnly: true },
    sbom: undefined,
  });
  assert.throws(() => read('provenance', 'mode=middle'), /invalid mode "middle"/);
  assert.throws(() => read('provenance', 'version=v3'), /invalid provenance SLSA version: v3/);
  assert.throws(() => read('provenance', 'version='), /version cannot be empty/);
  assert.throws(() => read('sbom', 'generator=evil/image'), /Skiff scans results itself/);
  assert.throws(() => read('vex', ''), /unknown attestation type "vex"/);
});
