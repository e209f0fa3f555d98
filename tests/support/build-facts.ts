import type { BuildFacts } from '#/builder/attest/provenance.ts';

/** What is to be known of a build of nothing. */
export const plainFacts: BuildFacts = {
  id: 'b',
  started: new Date(0),
  finished: new Date(1000),
  source: undefined,
  dockerfile: 'Dockerfile',
  args: new Map(),
  vcs: new Map(),
  secrets: [],
  ssh: [],
  locals: ['context'],
  materials: [],
  results: new Map(),
  dockerfileBytes: Buffer.from('FROM scratch\n'),
  hermetic: true,
};
