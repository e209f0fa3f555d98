import { createHash } from 'node:crypto';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { type Definition, DefinitionSchema, OpSchema } from '../messages/ops_pb.ts';

/** Marks the sources that are results of ours. */
const scheme = 'skiff-result://';

/**
 * A result as a build graph, which is how clients hand results of one build to another one: a source that only this daemon
 * understands, and what refers to it.
 */
export function definitionOf(result: string): Definition {
  const source = toBinary(
    OpSchema,
    create(OpSchema, { op: { case: 'source', value: { identifier: `${scheme}${result}` } } }),
  );
  const digest = `sha256:${createHash('sha256').update(source).digest('hex')}`;
  const end = toBinary(OpSchema, create(OpSchema, { inputs: [{ digest }] }));
  const description = { 'llb.customname': '[internal] result of another build' };
  return create(DefinitionSchema, { def: [source, end], metadata: { [digest]: { description } } });
}

/** The result that a build graph stands for; undefined for any other graph. */
export function resultIn({ def }: Definition): string | undefined {
  for (const bytes of def) {
    const { op } = fromBinary(OpSchema, bytes);
    if (op.case === 'source' && op.value.identifier.startsWith(scheme)) {
      return op.value.identifier.slice(scheme.length);
    }
  }
  return undefined;
}
