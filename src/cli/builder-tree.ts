import { type Group, type Leaf, leaf } from './tree-node.ts';

/** `build`, which stands in several places of the tree. */
export const build: Leaf = leaf(
  'build b',
  'Build an image from a Dockerfile',
  () => import('./commands/builder/build.ts'),
);

/** `skiff builder`, and `skiff buildx` for those who are used to it. */
export const builder: Group = {
  kind: 'group',
  names: ['builder', 'buildx'],
  summary: 'Manage builds',
  children: [
    build,
    leaf('du', 'Show what the cache of builds has', () => import('./commands/builder/du.ts')),
    leaf(
      'mount-export',
      'Write a cache mount to an archive',
      () => import('./commands/builder/mount-export.ts'),
    ),
    leaf(
      'mount-import',
      'Make a cache mount of an archive',
      () => import('./commands/builder/mount-import.ts'),
    ),
    leaf('prune', 'Remove cache of builds', () => import('./commands/builder/prune.ts')),
  ],
};
