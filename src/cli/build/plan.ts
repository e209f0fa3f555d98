import { join } from 'node:path';
import type { ContextDocument, DockerfileDocument } from '#/wire/build.ts';
import type { Context } from '../command.ts';
import { type Agents, openAgents } from './agents.ts';
import { parsePair } from './attributes.ts';
import { type ContextSource, contextSource, isSshUrl, isUrl, readDockerfile } from './context-source.ts';
import type { BuildFlags } from './flags.ts';
import { planCaches } from './local-caches.ts';
import { type LocalContext, type LocalDockerfile, localContext, localDockerfile } from './local-context.ts';
import { type ClientOutput, type ClientSink, parseOutputs } from './outputs.ts';
import { type BuildSettings, buildSettings, wantsShell } from './settings.ts';
import { checkSink } from './sinks.ts';

/** Files that go to the daemon. */
type Upload =
  | { readonly kind: 'folder'; readonly context: LocalContext }
  | { readonly kind: 'archive'; readonly bytes: AsyncIterable<Uint8Array> };

/** All that a command line asks of a build. */
export interface BuildPlan {
  readonly settings: BuildSettings;
  readonly dockerfile: DockerfileDocument;
  /** What the Dockerfile says; undefined if the daemon finds it in the context. */
  readonly content: Buffer | undefined;
  readonly context: ContextDocument;
  readonly namedContexts: Readonly<Record<string, ContextDocument>>;
  /** By the names that the documents have for them. */
  readonly uploads: ReadonlyMap<string, Upload>;
  readonly outputs: readonly ClientOutput[];
  /** Caches that end in folders of this machine, by their streams. */
  readonly cacheSinks: ReadonlyMap<string, ClientSink>;
  readonly agents: Agents;
}

/** Makes a plan of flags and the argument. Reads what is on this machine. Throws an Error for what is wrong with it. */
export async function planBuild(flags: BuildFlags, argument: string, ctx: Context): Promise<BuildPlan> {
  if (argument === '-' && flags.file === '-') {
    throw new Error("invalid argument: can't use stdin for both build context and dockerfile");
  }
  const settings = buildSettings(flags, ctx);
  if (wantsShell(settings) && (argument === '-' || flags.file === '-')) {
    const flag = flags['debug-step'] === '' ? '--on-error=shell' : '--debug-step';
    const has = argument === '-' ? 'context' : 'Dockerfile';
    throw new Error(
      `${flag} needs standard input for the shell, and the ${has} comes from there: give it as a path`,
    );
  }
  const outputs = parseOutputs(flags, { isTerminal: ctx.stdout.isTTY });
  const agents = await openAgents(sshFlags(flags, argument), ctx.env);
  const named = flags['build-context'].map(namedContext);
  const main = await mainContext(flags.file, await contextSource(argument, () => ctx.stdin), ctx);
  if (main.content?.length === 0)
    throw new Error(`the Dockerfile cannot be empty: ${sourceOfDockerfile(flags.file, argument)} is`);
  const { folders, sinks, ...caches } = planCaches(settings, ctx.stderr);
  for (const sink of [...outputs.map((output) => output.sink), ...sinks.values()]) {
    if (sink !== undefined) checkSink(sink);
  }
  const uploads = new Map([...main.uploads, ...named.flatMap(({ uploads: more }) => [...more])]);
  for (const [name, context] of folders) uploads.set(name, { kind: 'folder', context });
  return {
    settings: { ...settings, ...caches },
    dockerfile: main.dockerfile,
    content: main.content,
    context: main.context,
    namedContexts: Object.fromEntries(named.map(({ name, context }) => [name, context])),
    uploads,
    outputs,
    cacheSinks: sinks,
    agents,
  };
}

/** Repositories behind ssh need the user's agent without being asked for. */
function sshFlags({ ssh, 'build-context': named }: BuildFlags, argument: string): readonly string[] {
  const urls = [argument, ...named.map((text) => text.slice(text.indexOf('=') + 1))];
  const hasDefault = ssh.some((text) => /^(?:default)?(?:=|$)/.test(text));
  return hasDefault || !urls.some(isSshUrl) ? ssh : [...ssh, 'default'];
}

function sourceOfDockerfile(file: string, argument: string): string {
  return file === '-' || argument === '-'
    ? 'standard input'
    : JSON.stringify(file || join(argument, 'Dockerfile'));
}

type MainContext = Pick<BuildPlan, 'dockerfile' | 'content' | 'context' | 'uploads'>;

async function mainContext(file: string, source: ContextSource, { stdin }: Context): Promise<MainContext> {
  const files: ContextDocument = { Kind: 'files', Name: 'context' };
  const upload = (it: Upload): ReadonlyMap<string, Upload> => new Map([['context', it]]);
  switch (source.kind) {
    case 'folder': {
      const local =
        file === '-'
          ? { name: 'Dockerfile', content: await readDockerfile(stdin) }
          : localDockerfile(source.path, file);
      const isHere = 'absolute' in local ? (local as LocalDockerfile) : undefined;
      return {
        dockerfile: { Name: local.name, Content: local.content.toString('base64') },
        content: local.content,
        context: files,
        uploads: upload({ kind: 'folder', context: localContext(source.path, isHere) }),
      };
    }
    case 'archive':
      return {
        dockerfile: { Name: file || 'Dockerfile' },
        content: undefined,
        context: files,
        uploads: upload({ kind: 'archive', bytes: source.bytes }),
      };
    case 'dockerfile':
      if (file !== '') throw new Error('-f has no meaning where standard input is the Dockerfile');
      return {
        dockerfile: { Name: 'Dockerfile', Content: source.content.toString('base64') },
        content: source.content,
        context: { Kind: 'none' },
        uploads: new Map(),
      };
    case 'url': {
      const content = file === '-' ? await readDockerfile(stdin) : undefined;
      return {
        dockerfile: {
          Name: file === '-' || file === '' ? 'Dockerfile' : file,
          ...(content !== undefined && { Content: content.toString('base64') }),
        },
        content,
        context: { Kind: 'url', Url: source.url },
        uploads: new Map(),
      };
    }
    default:
      return source satisfies never;
  }
}

interface Named {
  readonly name: string;
  readonly context: ContextDocument;
  readonly uploads: ReadonlyMap<string, Upload>;
}

/** `name=path`, `name=docker-image://ref`, `name=oci-layout://path[:tag|@digest]`, `name=URL`. */
function namedContext(text: string): Named {
  const [name, value] = parsePair(text);
  if (value === undefined || value === '') {
    throw new Error(`invalid context value: ${text}, expected key=value`);
  }
  if (value.startsWith('docker-image://')) {
    const reference = value.slice('docker-image://'.length);
    return { name, context: { Kind: 'image', Reference: reference }, uploads: new Map() };
  }
  const part = `named:${name}`;
  const folder = (path: string): ReadonlyMap<string, Upload> =>
    new Map([[part, { kind: 'folder', context: localContext(path) }]]);
  const layout = /^oci-layout:\/\/(.*?)(?:[:@]((?:sha256:)?[^:@/]+))?$/.exec(value);
  if (layout !== null) {
    const [, path = '', reference = 'latest'] = layout;
    return { name, context: { Kind: 'oci-layout', Name: part, Reference: reference }, uploads: folder(path) };
  }
  if (value.startsWith('target:'))
    throw new Error(`--build-context ${text}: targets are only known to bake files`);
  if (isUrl(value)) return { name, context: { Kind: 'url', Url: value }, uploads: new Map() };
  return { name, context: { Kind: 'files', Name: part }, uploads: folder(value) };
}
