import { create } from '@bufbuild/protobuf';
import { notImplemented } from '#/base/errors.ts';
import { type GrpcHandler, type ServerCall, unary } from '../grpc/server.ts';
import { GrpcError, grpcCodes } from '../grpc/status.ts';
import {
  LLBBridge,
  type Result,
  ResultSchema,
  type ReturnRequest,
  type SolveRequest,
} from '../messages/gateway_pb.ts';
import type { Builds } from './builds.ts';
import { frontendCapabilities, graphCapabilities } from './capabilities.ts';
import { withErrorDetails } from './error-details.ts';
import type { Job, Returned } from './job.ts';
import { definitionOf, resultIn } from './result-definition.ts';
import type { WorkerInfo } from './workers.ts';

/** Says which build a call belongs to. */
const buildHeader = 'buildkit-controlapi-buildid';

/** The methods with which a client drives a build: it is promised results, and returns the one that it wants. */
export function gatewayHandlers(builds: Builds, worker: WorkerInfo): GrpcHandler[] {
  const jobOf = async (call: ServerCall): Promise<Job> => {
    const ref = call.metadata(buildHeader);
    if (ref === undefined) throw new GrpcError(grpcCodes.invalidArgument, 'no build id passed to gateway');
    return builds.job(ref, call);
  };
  return [
    unary(LLBBridge.method.ping, async (_request, call) => {
      await jobOf(call);
      return {
        frontendApiCaps: frontendCapabilities.map((id) => ({ id, enabled: true })),
        llbCaps: graphCapabilities.map((id) => ({ id, enabled: true })),
        workers: [worker.record()],
      };
    }),
    unary(LLBBridge.method.solve, async (request, call) => {
      const job = await jobOf(call);
      const attributes = new Map(Object.entries(frontendOptions(request)));
      const question = attributes.get('requestid') ?? '';
      if (question !== '') {
        const answer = await withErrorDetails(builds.ask(question, job, { attributes, signal: call.signal }));
        const metadata = [...answer].map(([name, text]) => [name, Buffer.from(text)] as const);
        return { result: create(ResultSchema, { metadata: Object.fromEntries(metadata) }) };
      }
      const id = job.promise({ attributes, inputs: inputsOf(request) });
      if (request.evaluate) await withErrorDetails(builds.evaluate(id, call));
      const result = create(ResultSchema, { result: { case: 'ref', value: { id, def: definitionOf(id) } } });
      return { ref: id, result };
    }),
    unary(LLBBridge.method.evaluate, async ({ ref }, call) => {
      await jobOf(call);
      await withErrorDetails(builds.evaluate(ref, call));
      return {};
    }),
    unary(LLBBridge.method.inputs, async (_request, call) => {
      await jobOf(call);
      return {};
    }),
    unary(LLBBridge.method.return, async (request, call) => {
      (await jobOf(call)).return(returnedOf(request));
      return {};
    }),
  ];
}

function frontendOptions({ frontend, frontendOpt, definition }: SolveRequest): Record<string, string> {
  if (frontend === 'gateway.v0' && isDockerfileFrontend(frontendOpt['source'] ?? '')) return frontendOpt;
  if (frontend === '' && definition !== undefined) {
    throw notImplemented('solving build graphs (LLB) is not implemented: only the Dockerfile front end is');
  }
  if (frontend !== 'dockerfile.v0') {
    const name = frontend === 'gateway.v0' ? (frontendOpt['source'] ?? '') : frontend;
    throw notImplemented(`the front end ${JSON.stringify(name)} is not implemented: only Dockerfiles are`);
  }
  return frontendOpt;
}

/** Images that are the Dockerfile front end; ours stands in for them. */
export function isDockerfileFrontend(image: string): boolean {
  return /^(?:docker\.io\/)?docker\/dockerfile(?:-upstream)?(?:[:@]|$)/.test(image);
}

function inputsOf({ frontendInputs }: SolveRequest): Map<string, string> {
  return new Map(
    Object.entries(frontendInputs).map(([name, definition]) => {
      const result = resultIn(definition);
      if (result === undefined) {
        throw notImplemented(
          `the input ${JSON.stringify(name)} is a build graph (LLB), which is not implemented`,
        );
      }
      return [name, result];
    }),
  );
}

function returnedOf({ result, error }: ReturnRequest): Returned {
  if (error !== undefined && error.code !== grpcCodes.ok) {
    const details = error.details.map(({ typeUrl, value }) => ({ type: typeUrl, value: Buffer.from(value) }));
    return { kind: 'failure', error: new GrpcError(error.code, error.message, { details }) };
  }
  const id = result === undefined ? '' : firstRef(result);
  return id === '' ? { kind: 'nothing' } : { kind: 'result', result: id };
}

/** All results of a build for several platforms are one promise here. */
function firstRef({ result }: Result): string {
  switch (result.case) {
    case 'ref':
      return result.value.id;
    case 'refs':
      return Object.values(result.value.refs)[0]?.id ?? '';
    case 'refDeprecated':
      return result.value;
    case 'refsDeprecated':
      return Object.values(result.value.refs)[0] ?? '';
    case undefined:
    default:
      return '';
  }
}
