import type { ImageConfig, ImageRuntimeConfig } from '#/oci/image-config.ts';
import type { Platform } from '#/oci/platform.ts';
import type { PlanNode, StepNode } from './graph.ts';

/** The search path of images that have none. */
const defaultPath = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** A line of the history of an image that is being made. */
export interface PlannedHistory {
  readonly createdBy: string;
  readonly comment: string;
  readonly author: string;
  /** Of a line that the base image had; otherwise it follows from the layers. */
  readonly created: string | undefined;
  /** The step whose layer this is; `base` for one of the base image's, undefined for none. */
  readonly layer: StepNode | 'base' | undefined;
}

/** What a stage has come to. Values are replaced, never changed in place: other stages may go on from here. */
export interface StageState {
  readonly platform: Platform;
  /** Its files; undefined: there are none. */
  readonly tree: PlanNode | undefined;
  readonly config: ImageRuntimeConfig;
  readonly author: string;
  readonly history: readonly PlannedHistory[];
  /** Variables for expansion and for processes: ENV and ARG, the later ones counting. */
  readonly variables: ReadonlyMap<string, string>;
  /** ARGs in the order of their declaration. */
  readonly args: ReadonlyMap<string, string | undefined>;
  /** The stage has a CMD of its own. */
  readonly hasCmd: boolean;
  /** Instructions that the base image has left for who builds on it. */
  readonly triggers: readonly string[];
}

/** A stage that begins with nothing. */
export function emptyState(platform: Platform): StageState {
  return stateFrom(
    { Env: [defaultPath], WorkingDir: '/' },
    { platform, tree: undefined, author: '', history: [] },
  );
}

/** A stage that begins with an image. */
export function imageState(
  image: ImageConfig,
  { platform, tree }: { platform: Platform; tree: PlanNode },
): StageState {
  const { OnBuild: triggers = [], ...config } = image.config ?? {};
  const env = config.Env ?? [];
  const hasPath = env.some((entry) => entry.startsWith('PATH='));
  const history = image.history.map((entry): PlannedHistory => {
    const { createdBy, comment, author, created } = entry;
    return { createdBy, comment, author, created, layer: entry.emptyLayer ? undefined : 'base' };
  });
  // Images exist that tell less of their making than they have layers.
  const told = history.filter(({ layer }) => layer === 'base').length;
  const untold = Array.from(
    { length: Math.max(0, image.diffIds.length - told) },
    (): PlannedHistory => ({ createdBy: '', comment: '', author: '', created: image.created, layer: 'base' }),
  );
  return {
    ...stateFrom(
      { ...config, Env: hasPath ? env : [defaultPath, ...env] },
      { platform, tree, author: image.author, history: [...history, ...untold] },
    ),
    triggers,
  };
}

/** A stage that begins where another one has ended. */
export function inheritedState(state: StageState, platform: Platform): StageState {
  const { OnBuild: triggers = [], ...config } = state.config;
  return { ...state, platform, config, hasCmd: false, triggers };
}

function stateFrom(
  config: ImageRuntimeConfig,
  more: Pick<StageState, 'platform' | 'tree' | 'author' | 'history'>,
): StageState {
  const variables = new Map(
    (config.Env ?? []).map((entry): [string, string] => {
      const at = entry.indexOf('=');
      return at < 0 ? [entry, ''] : [entry.slice(0, at), entry.slice(at + 1)];
    }),
  );
  return { ...more, config, variables, args: new Map(), hasCmd: false, triggers: [] };
}

/** The state with one more line of history. */
export function withHistory(
  state: StageState,
  createdBy: string,
  { layer, author = '' }: { layer?: StepNode; author?: string } = {},
): StageState {
  const entry: PlannedHistory = {
    createdBy,
    comment: 'buildkit.dockerfile.v0',
    author,
    created: undefined,
    layer,
  };
  return { ...state, history: [...state.history, entry] };
}
