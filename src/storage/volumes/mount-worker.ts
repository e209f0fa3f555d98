import { workerData } from 'node:worker_threads';
import { mount } from '#/kernel/mount.ts';
import type { MountJob } from './option-mount.ts';

// Mounts are the process's, whichever thread makes them. What is thrown here reaches the other side as an 'error' event.
const { request, target } = workerData as MountJob;
mount(request, target);
