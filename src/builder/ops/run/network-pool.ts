import { newId } from '#/base/ids.ts';
import type { Networks } from '#/network/networks.ts';
import type { NamespaceInput } from '#/runtime/spec/input.ts';
import type { RunNetwork } from '../../request.ts';

/** The network of a step that runs. Dispose of it when its processes have ended. */
export interface StepNetwork extends Disposable {
  readonly namespace: NamespaceInput;
  /** The host's address as the step sees it. */
  readonly gateway: string | undefined;
}

interface Place {
  readonly sandbox: string;
  readonly gateway: string | undefined;
}

/** The network of everybody who names none. */
const defaultNetwork = 'bridge';

/**
 * The places in networks of one build's steps: each is used by one step at a time, and by others after it. They are made when
 * they are needed first, and go with the pool.
 */
export class NetworkPool implements Disposable {
  readonly #networks: Networks;
  readonly #free = new Map<string, Place[]>();
  readonly #all: string[] = [];

  constructor(networks: Networks) {
    this.#networks = networks;
  }

  /** A place in a network. Throws `notFound` for a name that no network has. */
  take(network: RunNetwork): StepNetwork {
    if (network.kind === 'host') return { namespace: 'host', gateway: undefined, [Symbol.dispose]: () => {} };
    if (network.kind === 'none') return { namespace: 'new', gateway: undefined, [Symbol.dispose]: () => {} };
    const found = this.#networks.find(network.kind === 'named' ? network.name : defaultNetwork);
    if (found.driver === 'host') return this.take({ kind: 'host' });
    if (found.driver === 'null') return this.take({ kind: 'none' });
    const free = this.#free.get(found.id) ?? [];
    this.#free.set(found.id, free);
    const place = free.pop() ?? this.#make(found.id);
    return {
      namespace: { path: place.sandbox },
      gateway: place.gateway,
      [Symbol.dispose]: () => void free.push(place),
    };
  }

  /** Takes all places away. */
  [Symbol.dispose](): void {
    for (const id of this.#all.splice(0)) this.#networks.release(id);
    this.#free.clear();
  }

  #make(network: string): Place {
    const id = newId();
    this.#all.push(id);
    const sandbox = this.#networks.createSandbox(id);
    const { gateway } = this.#networks.connect({ network, containerId: id, containerName: `build-${id}` });
    return { sandbox, gateway };
  }
}
