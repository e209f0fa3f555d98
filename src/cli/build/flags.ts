import type { Ulimit } from '#/wire/containers.ts';
import { checkLabel } from '../container-options/key-values.ts';
import { parseUlimit } from '../container-options/resource-flags.ts';
import { checkExtraHost } from '../container-options/validators.ts';
import { contentTrustFlag } from '../content-trust.ts';
import {
  boolFlag,
  bytesFlag,
  type FlagsFor,
  intFlag,
  itemsFlag,
  listFlag,
  stringFlag,
} from '../flags/flag.ts';

/** Values of the flags of `build`: those of docker's own builder, of buildx, and a few of ours. Sizes are bytes. */
export interface BuildFlags {
  readonly 'add-host': readonly string[];
  readonly allow: readonly string[];
  readonly annotation: readonly string[];
  readonly attest: readonly string[];
  readonly 'build-arg': readonly string[];
  readonly 'build-context': readonly string[];
  readonly builder: string;
  readonly 'cache-from': readonly string[];
  readonly 'cache-to': readonly string[];
  readonly call: string;
  readonly 'cgroup-parent': string;
  readonly check: boolean;
  readonly compress: boolean;
  readonly 'cpu-period': number;
  readonly 'cpu-quota': number;
  readonly 'cpu-shares': number;
  readonly 'cpuset-cpus': string;
  readonly 'cpuset-mems': string;
  readonly debug: boolean;
  readonly 'debug-step': string;
  readonly 'disable-content-trust': boolean;
  readonly explain: boolean;
  readonly file: string;
  readonly 'force-rm': boolean;
  readonly iidfile: string;
  readonly isolation: string;
  readonly label: readonly string[];
  readonly load: boolean;
  readonly memory: number;
  readonly 'memory-swap': number;
  readonly 'metadata-file': string;
  readonly network: string;
  readonly 'no-cache': boolean;
  readonly 'no-cache-filter': readonly string[];
  readonly 'on-error': string;
  readonly output: readonly string[];
  readonly platform: readonly string[];
  readonly progress: string;
  readonly provenance: string;
  readonly pull: boolean;
  readonly push: boolean;
  readonly quiet: boolean;
  readonly rm: boolean;
  readonly sbom: string;
  readonly secret: readonly string[];
  readonly 'security-opt': readonly string[];
  readonly 'shm-size': number;
  readonly squash: boolean;
  readonly ssh: readonly string[];
  readonly tag: readonly string[];
  readonly target: string;
  readonly ulimit: readonly Ulimit[];
}

/** The flags of `build`. */
export const buildFlags: FlagsFor<BuildFlags> = {
  'add-host': listFlag('Add a line to /etc/hosts of the steps (host:ip)', { check: checkExtraHost }),
  allow: listFlag('Allow what is refused otherwise: network.host, security.insecure'),
  annotation: listFlag('Annotate the image ([index|manifest:]name=value)'),
  attest: listFlag('Attest how the image was made (type=provenance|sbom[,option=value])'),
  'build-arg': listFlag('Set a variable that an ARG instruction declares (name[=value])'),
  'build-context': listFlag(
    'Another source of files or an image (name=path|URL|docker-image://ref|oci-layout://path)',
  ),
  builder: stringFlag('Only "default" is known'),
  'cache-from': listFlag('Take cache from there (image, or type=registry|local,option=value)'),
  'cache-to': listFlag('Send cache there (image, or type=inline|registry|local,option=value)'),
  call: stringFlag('What to do: "build", "check", "outline" or "targets"', { initial: 'build' }),
  'cgroup-parent': stringFlag('Control group that those of the steps are made in'),
  check: boolFlag('Only look for mistakes in the Dockerfile; short for --call=check'),
  compress: boolFlag('Compress a context that is sent as a whole'),
  'cpu-period': intFlag('Length of a period of the CPU scheduler in microseconds'),
  'cpu-quota': intFlag('CPU time in a period in microseconds'),
  'cpu-shares': intFlag('Weight for CPU time', { short: 'c' }),
  'cpuset-cpus': stringFlag('CPUs to run on (0-3, 0,1)'),
  'cpuset-mems': stringFlag('Memory nodes to use (0-3, 0,1)'),
  debug: boolFlag('Tell of errors where in the program they come from', { short: 'D' }),
  'debug-step': stringFlag(
    'Open a shell before this step (number, or stage:number, as the progress names it)',
  ),
  'disable-content-trust': contentTrustFlag,
  explain: boolFlag('Tell for each step why the cache had it or not'),
  file: stringFlag('The Dockerfile ("-" is standard input; default "PATH/Dockerfile")', { short: 'f' }),
  'force-rm': boolFlag('Accepted for compatibility: no containers remain'),
  iidfile: stringFlag('Write the identifier of the image to this file'),
  isolation: stringFlag('Only "default" is known'),
  label: listFlag('Label the image (name=value)', { check: checkLabel }),
  load: boolFlag('Short for --output=type=docker'),
  memory: bytesFlag('Memory that a step may use', { short: 'm' }),
  'memory-swap': bytesFlag('Memory and swap together; -1 is unlimited', { unlimited: true }),
  'metadata-file': stringFlag('Write facts about the result to this file, as JSON'),
  network: stringFlag('Network of the steps: "default", "none", "host" or a name', { initial: 'default' }),
  'no-cache': boolFlag('Run every step, whether or not the cache has it'),
  'no-cache-filter': listFlag('Run every step of these stages'),
  'on-error': stringFlag('What to do if a step fails: "exit", or "shell" for a shell where it failed', {
    initial: 'exit',
  }),
  output: listFlag(
    'Where the result goes (a path, or type=T,option=value; T is image, registry, docker, oci, tar or local)',
    {
      short: 'o',
    },
  ),
  platform: listFlag('Platforms to build for (os[/arch[/variant]], …)'),
  progress: stringFlag('How to show progress: "auto", "tty", "plain", "rawjson", "quiet" or "none"', {
    initial: 'auto',
  }),
  provenance: stringFlag('Short for --attest=type=provenance', { implied: 'true' }),
  pull: boolFlag('Ask registries for newer base images'),
  push: boolFlag('Short for --output=type=registry'),
  quiet: boolFlag('Show nothing but the identifier of the image', { short: 'q' }),
  rm: boolFlag('Accepted for compatibility: no containers remain', { initial: true }),
  sbom: stringFlag('Short for --attest=type=sbom', { implied: 'true' }),
  secret: listFlag('A secret for the steps that ask for it (id=name[,src=path|,env=variable])'),
  'security-opt': listFlag('Refused, as by docker on Linux: a step says RUN --security=insecure'),
  'shm-size': bytesFlag('Size of /dev/shm'),
  squash: boolFlag('Make one layer of all that the build adds'),
  ssh: listFlag('An SSH agent for the steps that ask for it (default, or id[=socket|key[,key]])'),
  tag: listFlag('Name of the image (name[:tag])', { short: 't' }),
  target: stringFlag('The stage to build'),
  ulimit: itemsFlag('Set a resource limit of the steps (name=soft[:hard])', {
    parse: parseUlimit,
    type: 'ulimit',
  }),
};
