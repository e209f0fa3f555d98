import type { EngineError } from '#/base/errors.ts';
import { emulatedArchitectures } from '#/kernel/binfmt.ts';
import { formatPlatform, hostPlatform, type Platform } from '#/oci/platform.ts';
import type { CopyInput, StepNode } from '../plan/graph.ts';
import { StepError } from '../step-error.ts';
import { WordedError } from '../worded-error.ts';

const missingSource =
  'Look whether it is in the context, or in the stage or image that --from names, and whether the ignore file leaves it out.';

const sourceAbove =
  'No path leads out of a context or a stage: to copy what lies above, build with the directory above as context, and name the Dockerfile with --file.';

/** What people may try when a step has failed like this, as far as that is known. */
export function hintFor(node: StepNode, error: EngineError): string | undefined {
  if (node.kind === 'copy' && error.kind === 'notFound' && !(error instanceof WordedError))
    return node.sources.some(leadsUp) ? sourceAbove : missingSource;
  if (node.kind !== 'run' || !(error instanceof StepError) || runsHere(node.platform)) return undefined;
  return `Programs for ${formatPlatform(node.platform)} do not run here: register an emulator with the kernel (binfmt_misc with the flag F, as qemu-user-static does), or do this step in a stage FROM --platform=$BUILDPLATFORM.`;
}

function leadsUp(source: CopyInput): boolean {
  return source.kind === 'files' && source.pattern.split('/').includes('..');
}

/** Programs for the platform run on this machine, perhaps under an emulator. */
function runsHere({ architecture }: Platform): boolean {
  const own = hostPlatform().architecture;
  // Machines of 64 bits mostly run the programs of their ancestors.
  const kin = { amd64: ['386'], arm64: ['arm'] }[own] ?? [];
  return [own, ...kin].includes(architecture) || emulatedArchitectures().includes(architecture);
}
