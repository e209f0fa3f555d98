import { forbidden } from '#/base/errors.ts';
import { newId } from '#/base/ids.ts';
import type { NamespaceInput } from '#/runtime/spec/input.ts';
import type { ExtraHost, RunNetwork } from '../../request.ts';
import type { StepParts } from '../step-parts.ts';

/** The network of a step that runs. Dispose of it when its processes have ended. */
export interface StepNetwork extends Disposable {
  readonly namespace: NamespaceInput;
  /** The host's address as the step sees it. */
  readonly gateway: string | undefined;
  /** The containers in it that can be called by their names. */
  readonly neighbours: readonly ExtraHost[];
  /** It belongs to somebody else, who has set it up. */
  readonly isShared: boolean;
}

interface Place {
  readonly sandbox: string;
  readonly gateway: string | undefined;
}

const alone: Omit<StepNetwork, 'namespace'> = {
  gateway: undefined,
  neighbours: [],
  isShared: false,
  [Symbol.dispose]: () => {},
};

type PoolParts = Pick<StepParts, 'networks' | 'neighboursIn' | 'networkOf'>;

/** The network of everybody who names none. */
const defaultNetwork = 'bridge';

/**
 * The places in networks of one build's steps: each is used by one step at a time, and by others after it. They are made when
 * they are needed first, and go with the pool.
 */
export class NetworkPool implements Disposable {
  readonly #parts: PoolParts;
  readonly #free = new Map<string, Place[]>();
  readonly #all: string[] = [];

  constructor(parts: PoolParts) {
    this.#parts = parts;
  }

  /**
   * A place in a network. Throws `notFound` for a name that no network or container has, `conflict` for a container that does not
   * run, `forbidden` for another name of the host's.
   */
  take(network: RunNetwork): StepNetwork {
    if (network.kind === 'host') return { ...alone, namespace: 'host' };
    if (network.kind === 'container') {
      const namespace = this.#parts.networkOf(network.container);
      // Who may use it has to say so.
      if (namespace === 'host') throw forbidden('network.host is not allowed');
      return { ...alone, namespace, isShared: true };
    }
    if (network.kind === 'none') return { ...alone, namespace: 'new' };
    const found = this.#parts.networks.find(network.kind === 'named' ? network.name : defaultNetwork);
    // Who may use it has to say so.
    if (found.driver === 'host') throw forbidden('network.host is not allowed');
    if (found.driver === 'null') return { ...alone, namespace: 'new' };
    const free = this.#free.get(found.id) ?? [];
    this.#free.set(found.id, free);
    const place = free.pop() ?? this.#make(found.id);
    return {
      namespace: { path: place.sandbox },
      gateway: place.gateway,
      neighbours: network.kind === 'named' ? this.#parts.neighboursIn(found) : [],
      isShared: false,
      [Symbol.dispose]: () => void free.push(place),
    };
  }

  /** Takes all places away. */
  [Symbol.dispose](): void {
    for (const id of this.#all.splice(0)) this.#parts.networks.release(id);
    this.#free.clear();
  }

  #make(network: string): Place {
    const id = newId();
    this.#all.push(id);
    const { networks } = this.#parts;
    const sandbox = networks.createSandbox(id);
    const { gateway } = networks.connect({ network, containerId: id, containerName: `build-${id}` });
    return { sandbox, gateway };
  }
}
