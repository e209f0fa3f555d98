import { create } from '@bufbuild/protobuf';
import { readAttestOptions } from '#/builder/attest/attest-options.ts';
import { provenance } from '#/builder/attest/provenance.ts';
import type { BuildResult } from '#/builder/build.ts';
import type { KeptBlob } from '#/builder/history/build-history.ts';
import type { Descriptor } from '#/oci/descriptor.ts';
import { digestOf } from '#/oci/digest.ts';
import { parsePlatform } from '#/oci/platform.ts';
import { flagAt, withPrefix } from '../control/attributes.ts';
import type { Job } from '../control/job.ts';
import { type GrpcError, statusBytes } from '../grpc/status.ts';
import {
  BuildResultInfoSchema,
  DescriptorSchema,
  type Descriptor as Kept,
  type StatusResponse,
} from '../messages/control_pb.ts';
import type { RecordParts } from './record.ts';
import { encodeStatusLog } from './status-log.ts';
import { traceOf } from './trace.ts';

/** Types of what belongs to a build. The third is spelled as BuildKit spells it. */
const mediaTypes = {
  log: 'application/vnd.buildkit.status.v0',
  trace: 'application/vnd.buildkit.otlp.json.v0',
  error: 'application/vnd.googeapis.google.rpc.status+proto',
  statement: 'application/vnd.in-toto+json',
} as const;
/** Bytes of the documents of one image that are kept; those of an image with more are left to whoever has it. */
const maxDocuments = 8 * 1024 * 1024;

/** How a build has ended. */
export interface Ending {
  readonly completed: Date;
  /** What it has made; undefined if it failed, or if nothing was to be made. */
  readonly result: BuildResult | undefined;
  readonly error: GrpcError | undefined;
}

/** What belongs to a build that has ended: its log, its trace, how it came to be, documents of its images, its error. */
export class Attachments {
  readonly blobs: KeptBlob[] = [];
  readonly parts: RecordParts;

  constructor(job: Job, { completed, result, error }: Ending) {
    const told = [...job.feed.told()];
    this.parts = {
      ...this.#logs(job, { completed, error, told }),
      ...(error !== undefined && { externalError: this.#keep(mediaTypes.error, statusBytes(error)) }),
      ...(result !== undefined && this.#results(job, result)),
    };
  }

  #logs(
    { ref, startedAt }: Job,
    { completed, error, told }: Pick<Ending, 'completed' | 'error'> & { told: readonly StatusResponse[] },
  ): RecordParts {
    const trace = traceOf({ ref, started: startedAt, completed, error: error?.message, told });
    return {
      logs: this.#keep(mediaTypes.log, encodeStatusLog(told)),
      trace: this.#keep(mediaTypes.trace, trace),
    };
  }

  #results(job: Job, { facts, images }: BuildResult): RecordParts {
    const made = [...images].map(([index, { descriptor, documents }]) => {
      const size = documents.reduce((sum, { bytes }) => sum + bytes.length, 0);
      if (size <= maxDocuments)
        for (const { descriptor: of, bytes } of documents) this.#add(of.digest, bytes);
      return [index.toString(), keptDescriptor(descriptor)] as const;
    });
    const results = Object.fromEntries(made);
    const [first] = Object.values(results);
    const result = create(BuildResultInfoSchema, {
      results,
      ...(first !== undefined && { result: first }),
    });
    const byPlatform = [...facts.results.keys()].map((platform) => {
      return [platform, this.#provenance(job, { facts, platform })] as const;
    });
    const [only, ...more] = byPlatform;
    if (only !== undefined && more.length === 0) {
      result.attestations.push(only[1]);
      return { result };
    }
    const attested = byPlatform.map(([platform, statement]) => {
      return [platform, create(BuildResultInfoSchema, { attestations: [statement] })] as const;
    });
    return { ...(made.length > 0 && { result }), results: Object.fromEntries(attested) };
  }

  /** Of the version that all clients know, unless the build asks for the other one. */
  #provenance(job: Job, { facts, platform }: { facts: BuildResult['facts']; platform: string }): Kept {
    const { attributes } = job.input;
    const asked = readAttestOptions(withPrefix(attributes, 'attest:')).provenance;
    const isVersion1 = flagAt(attributes, 'build-arg:BUILDKIT_HISTORY_PROVENANCE_V1') === true;
    const { type, members } = provenance(facts, parsePlatform(platform), {
      mode: 'max',
      version: isVersion1 ? 'v1' : 'v0.2',
      builderId: asked?.builderId ?? '',
      reproducible: false,
      inlineOnly: false,
    });
    const bytes = Buffer.from(JSON.stringify(members, undefined, 2));
    const kept = this.#keep(mediaTypes.statement, bytes);
    kept.annotations['in-toto.io/predicate-type'] = type;
    return kept;
  }

  #keep(mediaType: string, bytes: Uint8Array): Kept {
    const digest = digestOf(bytes);
    this.#add(digest, bytes);
    return create(DescriptorSchema, { mediaType, digest, size: BigInt(bytes.length) });
  }

  #add(digest: KeptBlob['digest'], bytes: Uint8Array): void {
    this.blobs.push({ digest, bytes });
  }
}

function keptDescriptor({ mediaType, digest, size, annotations }: Descriptor): Kept {
  return create(DescriptorSchema, { mediaType, digest, size: BigInt(size), annotations: { ...annotations } });
}
