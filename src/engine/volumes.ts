import { invalid, isKind, notFound } from '#/base/errors.ts';
import type { Volume as StoredVolume } from '#/storage/volumes/volume.ts';
import { anonymousLabel, type VolumeStore } from '#/storage/volumes.ts';
import type { Filters } from '#/wire/filters.ts';
import type { Volume, VolumeCreateRequest, VolumesPruneResponse } from '#/wire/volumes.ts';
import type { Events } from './events.ts';
import { booleanFilter, checkFilterNames, hasLabels, matchesName, prunesLabels } from './filters.ts';

/** Docker's operations on volumes. */
export class Volumes {
  readonly #store: VolumeStore;
  readonly #events: Events;

  constructor({ store, events }: { store: VolumeStore; events: Events }) {
    this.#store = store;
    this.#events = events;
  }

  /** Makes a volume, or answers the one of this name that exists. */
  async create(request: VolumeCreateRequest): Promise<Volume> {
    const {
      Name: name = '',
      Driver: driver = '',
      Labels: labels = null,
      DriverOpts: options = null,
    } = request;
    if (driver !== '' && driver !== 'local') {
      throw notFound(
        `create ${name}: error looking up volume plugin ${driver}: plugin "${driver}" not found`,
      );
    }
    const { volume, created } = await this.#store.create({ name, labels, options });
    if (created) this.#publish('create', volume.name);
    return present(volume);
  }

  inspect(name: string): Volume {
    return present(this.#store.get(name));
  }

  /** The volumes that the filters `dangling`, `driver`, `label` and `name` leave. */
  list(filters: Filters): Volume[] {
    checkFilterNames(filters, ['dangling', 'driver', 'label', 'name']);
    const dangling = filters.has('dangling') ? booleanFilter(filters, 'dangling', false) : undefined;
    const any = (name: string, test: (value: string) => boolean): boolean => {
      const values = filters.get(name) ?? [];
      return values.length === 0 || values.some(test);
    };
    return this.#store
      .list()
      .filter(
        (volume) =>
          (dangling === undefined || (this.#store.users(volume.name).length === 0) === dangling) &&
          any('driver', (driver) => driver === 'local') &&
          any('name', (pattern) => matchesName(pattern, volume.name)) &&
          hasLabels(filters, volume.labels),
      )
      .map(present);
  }

  /** Throws `notFound`, unless `force`; `conflict` while containers have it, whatever `force` says. */
  async remove(name: string, { force }: { force: boolean }): Promise<void> {
    try {
      await this.#store.remove(name);
    } catch (error) {
      if (force && isKind(error, 'notFound')) return;
      throw error;
    }
    this.#publish('destroy', name);
  }

  /**
   * Removes volumes that no container has: those without a name, or all of them with the filter `all`, which clients
   * before API 1.42 get without asking.
   */
  async prune(
    filters: Filters,
    { everything = false }: { everything?: boolean } = {},
  ): Promise<VolumesPruneResponse> {
    checkFilterNames(filters, ['label', 'label!', 'all']);
    const all = allFilter(filters) || everything;
    const deleted: string[] = [];
    let reclaimed = 0;
    for (const { name, labels } of this.#store.list()) {
      const anonymous = Object.hasOwn(labels ?? {}, anonymousLabel);
      if (!(all || anonymous) || !prunesLabels(filters, labels) || this.#store.users(name).length > 0)
        continue;
      try {
        const size = await this.#store.size(name);
        await this.remove(name, { force: false });
        deleted.push(name);
        reclaimed += size;
      } catch (error) {
        // Taken into use, or removed by somebody else, while we were at it.
        if (!isKind(error, 'conflict') && !isKind(error, 'notFound')) throw error;
      }
    }
    const attributes = { reclaimed: String(reclaimed) };
    this.#events.publish({ type: 'volume', action: 'prune', actor: { id: '', attributes } });
    return { VolumesDeleted: deleted, SpaceReclaimed: reclaimed };
  }

  /** All volumes with their sizes and how many containers have them. */
  async usage(): Promise<Volume[]> {
    const volumes: Volume[] = [];
    for (const volume of this.#store.list()) {
      const data = {
        RefCount: this.#store.users(volume.name).length,
        Size: await this.#store.size(volume.name),
      };
      volumes.push({ ...present(volume), UsageData: data });
    }
    return volumes;
  }

  #publish(action: 'create' | 'destroy', name: string): void {
    this.#events.publish({ type: 'volume', action, actor: { id: name, attributes: { driver: 'local' } } });
  }
}

function present({ name, created, labels, options, mountpoint }: StoredVolume): Volume {
  return {
    CreatedAt: created,
    Driver: 'local',
    Labels: labels,
    Mountpoint: mountpoint,
    Name: name,
    Options: options,
    Scope: 'local',
  };
}

/** This one filter takes what Go's strconv.ParseBool takes. */
function allFilter(filters: Filters): boolean {
  const values = filters.get('all') ?? [];
  const [value] = values;
  if (value === undefined) return false;
  if (values.length > 1) {
    throw invalid(`invalid filter 'all=[${values.join(' ')}]': only one value is expected`);
  }
  if (['1', 't', 'T', 'TRUE', 'true', 'True'].includes(value)) return true;
  if (['0', 'f', 'F', 'FALSE', 'false', 'False'].includes(value)) return false;
  throw invalid(`invalid filter 'all': strconv.ParseBool: parsing ${JSON.stringify(value)}: invalid syntax`);
}
