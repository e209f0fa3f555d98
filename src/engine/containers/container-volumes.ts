import { isKind, notFound } from '#/base/errors.ts';
import type { Volume } from '#/storage/volumes/volume.ts';
import { anonymousLabel, type VolumeStore } from '#/storage/volumes.ts';
import type { Events } from '../events.ts';
import type { PlannedMount } from './mount-plan.ts';

type PlannedVolume = Extract<PlannedMount, { kind: 'volume' }>;

/** The volumes of containers: made or found when a container is, given back when it goes. */
export class ContainerVolumes {
  readonly #store: VolumeStore;
  readonly #events: Events;
  /** Which container's run uses which volume: what `endRun` has to end. */
  readonly #inRun = new Set<string>();

  constructor({ store, events }: { store: VolumeStore; events: Events }) {
    this.#store = store;
    this.#events = events;
  }

  /** Takes the volume of a planned mount into use, making it if there is none of its name. */
  async use(containerId: string, planned: PlannedVolume): Promise<Volume> {
    if (planned.driver !== 'local')
      throw notFound(
        `create ${planned.name}: error looking up volume plugin ${planned.driver}: plugin "${planned.driver}" not found`,
      );
    const request = {
      name: planned.name,
      labels: planned.name === '' || Object.keys(planned.labels).length > 0 ? planned.labels : null,
      options: Object.keys(planned.driverOptions).length > 0 ? planned.driverOptions : null,
    };
    const { volume, created } = await this.#store.create(request, { user: containerId });
    if (created) this.#publish('create', volume.name, { driver: 'local' });
    return volume;
  }

  /** Makes a volume ready for a run and says where it is. */
  async mount(
    name: string,
    { containerId, destination, readOnly }: { containerId: string; destination: string; readOnly: boolean },
  ): Promise<string> {
    const path = await this.#store.mount(name, containerId);
    const attributes = {
      container: containerId,
      destination,
      driver: 'local',
      propagation: '',
      'read/write': String(!readOnly),
    };
    this.#inRun.add(`${containerId} ${name}`);
    this.#publish('mount', name, attributes);
    return path;
  }

  /** Where the volume is, ready to be filled. */
  async prepare(name: string, containerId: string): Promise<string> {
    this.#inRun.add(`${containerId} ${name}`);
    return this.#store.mount(name, containerId);
  }

  /** The run is over. */
  async unmount(name: string, containerId: string): Promise<void> {
    this.#inRun.delete(`${containerId} ${name}`);
    await this.#store.unmount(name, containerId);
  }

  /** The run is over. Safe to repeat. */
  async endRun(name: string, containerId: string): Promise<void> {
    if (!this.#inRun.has(`${containerId} ${name}`)) return;
    await this.#store.unmount(name, containerId);
    this.#inRun.delete(`${containerId} ${name}`);
    this.#publish('unmount', name, { container: containerId, driver: 'local' });
  }

  /**
   * Gives back what a container has: the volumes of these names, or whichever it has. With `remove` its anonymous ones
   * go if nobody else has them.
   */
  async giveBack(
    containerId: string,
    { names, remove }: { names: readonly string[] | undefined; remove: boolean },
  ): Promise<void> {
    for (const name of names ?? this.#namesOf(containerId)) {
      const volume = this.#store.find(name);
      if (volume === undefined) continue;
      const anonymous = volume.labels !== null && Object.hasOwn(volume.labels, anonymousLabel);
      // It goes together with its last user, so that nobody's death in between leaves it to nobody.
      if (remove && anonymous && (await this.#removeUnused(name, containerId))) continue;
      this.#store.unref(name, containerId);
    }
  }

  #namesOf(containerId: string): string[] {
    const names = this.#store.list().map(({ name }) => name);
    return names.filter((name) => this.#store.users(name).includes(containerId));
  }

  async #removeUnused(name: string, user: string): Promise<boolean> {
    try {
      await this.#store.remove(name, { user });
    } catch (error) {
      // Another container has it, or somebody else removed it meanwhile.
      if (isKind(error, 'conflict') || isKind(error, 'notFound')) return false;
      throw error;
    }
    this.#publish('destroy', name, { driver: 'local' });
    return true;
  }

  #publish(action: string, name: string, attributes: Record<string, string>): void {
    this.#events.publish({ type: 'volume', action, actor: { id: name, attributes } });
  }
}
