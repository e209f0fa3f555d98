import { internal, invalid } from '#/base/errors.ts';
import type { PortMap } from '#/wire/containers.ts';
import type { Filters } from '#/wire/filters.ts';
import { checkFilterNames, hasLabels, matchesName } from '../filters.ts';
import { type ContainerRecord, isAlive, lastRun } from './model.ts';
import type { ContainerStore } from './store.ts';

/** What a listing asks for; Docker's parameters of the same names. */
export interface ListOptions {
  /** Also those that do not run. */
  readonly all?: boolean;
  /** Only the newest so many, running or not; 0 or less is no limit. */
  readonly limit?: number;
  readonly filters?: Filters;
}

/** What the filters must know beyond the containers themselves. */
export interface ListFacts {
  /** The image that `ref` names and all that were made from it; empty if there is none. */
  readonly imageFamily: (ref: string) => ReadonlySet<string>;
  /** Names and ids of the networks it belongs to. */
  readonly networksOf: (record: ContainerRecord) => readonly string[];
  /** What is exposed and published now: nothing of a container that does not run. */
  readonly portsOf: (record: ContainerRecord) => PortMap;
  /** "none", "starting", "healthy" or "unhealthy". */
  readonly healthOf: (record: ContainerRecord) => string;
}

const known: readonly string[] = [
  'ancestor',
  'before',
  'exited',
  'expose',
  'health',
  'id',
  'is-task',
  'isolation',
  'label',
  'name',
  'network',
  'publish',
  'since',
  'status',
  'volume',
];
const statuses: readonly string[] = [
  'created',
  'running',
  'paused',
  'restarting',
  'removing',
  'exited',
  'dead',
];
const healths: readonly string[] = ['none', 'starting', 'healthy', 'unhealthy'];

type Predicate = (record: ContainerRecord) => boolean;

/** The containers that the options ask for, newest first. */
export function listContainers(
  store: ContainerStore,
  options: ListOptions,
  facts: ListFacts,
): ContainerRecord[] {
  const filters: Filters = options.filters ?? new Map();
  checkFilterNames(filters, known);
  const limit = options.limit ?? 0;
  const stopped = options.all === true || limit > 0 || filters.has('status');
  const predicates = predicatesOf(filters, facts);
  const range = rangeOf(filters, store);
  const found = store
    .all()
    .filter(
      (record) =>
        (stopped || isAlive(record.state) || record.state.kind === 'restarting') &&
        range(record) &&
        predicates.every((test) => test(record)),
    );
  return limit > 0 ? found.slice(0, limit) : found;
}

function predicatesOf(filters: Filters, facts: ListFacts): Predicate[] {
  const any = (name: string, test: (record: ContainerRecord, value: string) => boolean): Predicate[] => {
    const values = filters.get(name);
    return values === undefined || values.length === 0
      ? []
      : [(record) => values.some((value) => test(record, value))];
  };
  oneOf(filters, 'status', { what: 'state', allowed: statuses });
  oneOf(filters, 'health', { what: 'health', allowed: healths });
  for (const value of filters.get('is-task') ?? []) {
    if (!['true', 'false', '1', '0'].includes(value)) throw invalid(`invalid filter 'is-task=[${value}]'`);
  }
  const exitCodes = (filters.get('exited') ?? []).map((value) => {
    if (!/^[+-]?\d+$/.test(value))
      throw invalid(`invalid filter 'exited=${value}': strconv.Atoi: parsing "${value}": invalid syntax`);
    return Number(value);
  });
  const families = new Set((filters.get('ancestor') ?? []).flatMap((ref) => [...facts.imageFamily(ref)]));
  const published = (filters.get('publish') ?? []).map((value) => parsePortFilter('publish', value));
  const exposed = (filters.get('expose') ?? []).map((value) => parsePortFilter('expose', value));
  return [
    ...any('id', (record, value) => matchesName(value, record.id)),
    ...any(
      'name',
      (record, value) => matchesName(value, `/${record.name}`) || matchesName(value, record.name),
    ),
    ...any('status', (record, value) => record.state.kind === value),
    ...any('health', (record, value) => facts.healthOf(record) === value),
    ...any('isolation', (record, value) => record.spec.hostConfig.Isolation === value),
    ...any('is-task', (_record, value) => value === 'false' || value === '0'),
    ...any('volume', (record, value) =>
      record.spec.mounts.some(
        (mount) => mount.Name === value || mount.Destination === value || mount.Source === value,
      ),
    ),
    ...any('network', (record, value) =>
      facts
        .networksOf(record)
        .some((network) => network === value || (value.length >= 12 && network.startsWith(value))),
    ),
    ...any('ancestor', (record) => families.has(record.imageId)),
    ...any('exited', (record) => {
      const last = isAlive(record.state) ? undefined : lastRun(record.state);
      return last !== undefined && exitCodes.includes(last.exitCode);
    }),
    ...any('publish', (record) =>
      Object.entries(facts.portsOf(record)).some(([port, bindings]) => {
        const protocol = port.split('/')[1] ?? 'tcp';
        return (bindings ?? []).some(({ HostPort }) =>
          published.some((range) => range(`${HostPort}/${protocol}`)),
        );
      }),
    ),
    ...any('expose', (record) =>
      Object.keys(facts.portsOf(record)).some((port) => exposed.some((range) => range(port))),
    ),
    (record) => hasLabels(filters, record.spec.config.Labels),
  ];
}

function oneOf(
  filters: Filters,
  name: string,
  { what, allowed }: { what: string; allowed: readonly string[] },
): void {
  for (const value of filters.get(name) ?? []) {
    if (!allowed.includes(value)) {
      throw invalid(
        `invalid filter '${name}=${value}': invalid value for ${what} (${value}): must be one of ${allowed.join(', ')}`,
      );
    }
  }
}

function rangeOf(filters: Filters, store: ContainerStore): Predicate {
  const before = filters.get('before')?.map((ref) => store.find(ref)) ?? [];
  const since = filters.get('since')?.map((ref) => store.find(ref)) ?? [];
  return (record) =>
    before.every((other) => record.created < other.created) &&
    since.every((other) => record.created > other.created);
}

/** `80`, `80/udp`, `8000-8010/tcp`, matched with the container's port. */
function parsePortFilter(name: string, value: string): (port: string) => boolean {
  const match = /^(\d+)(?:-(\d+))?(?:\/([^/]+))?$/.exec(value);
  if (match === null) {
    const number =
      value
        .split('/')[0]
        ?.split('-')
        .find((part) => !/^\d+$/.test(part)) ?? '';
    throw internal(
      `error while looking up for ${name} ${value}: strconv.ParseUint: parsing "${number}": invalid syntax`,
    );
  }
  const first = Number(match[1]);
  const last = Number(match[2] ?? match[1]);
  const protocol = match[3] ?? 'tcp';
  return (port) => {
    const [number = '', kind = 'tcp'] = port.split('/');
    return kind === protocol && Number(number) >= first && Number(number) <= last;
  };
}
