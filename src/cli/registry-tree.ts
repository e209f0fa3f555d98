import { type Group, leaf } from './tree-node.ts';

/** Lists of images for several platforms. */
export const manifest: Group = {
  kind: 'group',
  names: ['manifest'],
  summary: 'Make one name stand for images of several platforms',
  children: [
    leaf(
      'annotate',
      'Say for what machines an image of a list is',
      () => import('./commands/manifest/annotate.ts'),
    ),
    leaf('create', 'Begin a list of images', () => import('./commands/manifest/create.ts')),
    leaf('inspect', 'Show a manifest or a list', () => import('./commands/manifest/inspect.ts')),
    leaf('push', 'Push a list to a registry', () => import('./commands/manifest/push.ts')),
    leaf('rm', 'Remove lists that have been begun', () => import('./commands/manifest/rm.ts')),
  ],
};

/** What registries have, whoever made them. */
export const registry: Group = {
  kind: 'group',
  names: ['registry'],
  summary: 'Look into registries, and tidy them',
  children: [
    leaf(
      'delete rm',
      'Delete tags and manifests from a registry',
      () => import('./commands/registry/delete.ts'),
    ),
    leaf('gc', 'Collect the garbage of a skiff-registry', () => import('./commands/registry/gc.ts')),
    leaf('inspect', 'Show what a registry has under a name', () => import('./commands/registry/inspect.ts')),
    leaf(
      'repositories ls',
      'List the repositories of a registry',
      () => import('./commands/registry/repositories.ts'),
    ),
    leaf('tags', 'List the tags of a repository', () => import('./commands/registry/tags.ts')),
  ],
};
