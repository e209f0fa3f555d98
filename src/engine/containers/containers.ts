import type { ContainerTopResponse, FilesystemChange, Resources, RestartPolicy } from '#/wire/containers.ts';
import type { Filters } from '#/wire/filters.ts';
import type { ContainerStats } from '#/wire/stats.ts';
import { type AttachOptions, attachToContainer, resizeContainer } from './attach.ts';
import { containerChanges } from './changes.ts';
import { type CreateRequest, createContainer, renameContainer } from './create.ts';
import { type ListOptions, listContainers } from './list.ts';
import { containerLogs, type LogsOptions } from './logs.ts';
import type { ContainerRecord } from './model.ts';
import type { ContainerParts } from './parts.ts';
import { pruneContainers } from './prune.ts';
import { type RemoveOptions, removeContainer } from './remove.ts';
import { startContainer } from './start.ts';
import { containerStats, type StatsOptions } from './stats.ts';
import type { Output, StdioSession } from './stdio.ts';
import {
  killContainer,
  pauseContainer,
  restartContainer,
  type StopOptions,
  stopContainer,
  unpauseContainer,
} from './stop.ts';
import { containerTop } from './top.ts';
import { updateContainer } from './update.ts';
import { type ContainerView, viewOf } from './view.ts';
import { waitForContainer } from './wait.ts';
import type { WaitCondition, WaitResult } from './waits.ts';

/**
 * The containers, as clients ask for them: each method is one file of this folder. `ref` is what a person writes: a
 * name, an id, the beginning of one.
 */
export class Containers {
  readonly #parts: ContainerParts;

  constructor(parts: ContainerParts) {
    this.#parts = parts;
  }

  create(request: CreateRequest): Promise<{ id: string; warnings: string[] }> {
    return createContainer(this.#parts, request);
  }

  /** Throws `notFound` at once. */
  get(ref: string): ContainerRecord {
    return this.#parts.store.find(ref);
  }

  async view(ref: string, options: { readonly size: boolean }): Promise<ContainerView> {
    return viewOf(this.#parts, this.get(ref), options);
  }

  async list(options: ListOptions & { readonly size: boolean }): Promise<ContainerView[]> {
    const records = listContainers(this.#parts.store, options, {
      imageFamily: (ref) => this.#parts.imageFamily(ref),
      networksOf: (record) => this.#parts.networks.namesOf(record),
      portsOf: (record) => this.#parts.networks.portsOf(record),
      healthOf: () => 'none',
    });
    return Promise.all(records.map((record) => viewOf(this.#parts, record, options)));
  }

  start(ref: string): Promise<void> {
    return startContainer(this.#parts, ref);
  }

  stop(ref: string, options: StopOptions): Promise<void> {
    return stopContainer(this.#parts, ref, options);
  }

  restart(ref: string, options: StopOptions): Promise<void> {
    return restartContainer(this.#parts, ref, options);
  }

  kill(ref: string, signal: string): Promise<void> {
    return killContainer(this.#parts, ref, signal);
  }

  pause(ref: string): Promise<void> {
    return pauseContainer(this.#parts, ref);
  }

  unpause(ref: string): Promise<void> {
    return unpauseContainer(this.#parts, ref);
  }

  rename(ref: string, name: string): Promise<void> {
    return renameContainer(this.#parts, ref, name);
  }

  remove(ref: string, options: RemoveOptions): Promise<void> {
    return removeContainer(this.#parts, ref, options);
  }

  wait(
    ref: string,
    condition: WaitCondition,
    { signal }: { readonly signal: AbortSignal },
  ): Promise<WaitResult> {
    return waitForContainer(this.#parts, ref, { condition, signal });
  }

  update(
    ref: string,
    changes: { readonly resources: Resources; readonly restartPolicy: RestartPolicy },
  ): Promise<string[]> {
    return updateContainer(this.#parts, ref, changes);
  }

  resize(ref: string, size: { readonly height: number; readonly width: number }): Promise<void> {
    return resizeContainer(this.#parts, ref, size);
  }

  attach(ref: string, options: AttachOptions): Promise<StdioSession> {
    return attachToContainer(this.#parts, ref, options);
  }

  logs(ref: string, options: LogsOptions): Promise<{ tty: boolean; output: Output }> {
    return containerLogs(this.#parts, ref, options);
  }

  stats(ref: string, options: StatsOptions): Promise<AsyncIterable<ContainerStats>> {
    return containerStats(this.#parts, ref, options);
  }

  top(ref: string, args: string): Promise<ContainerTopResponse> {
    return containerTop(this.#parts, ref, args);
  }

  /** What a container has changed in its file system. */
  changes(ref: string): Promise<FilesystemChange[]> {
    return containerChanges(this.#parts, ref);
  }

  prune(filters: Filters): Promise<{ deleted: string[]; reclaimed: number }> {
    return pruneContainers(this.#parts, filters);
  }
}
