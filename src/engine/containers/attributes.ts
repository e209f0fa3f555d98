import type { ContainerRecord } from './model.ts';

/** What an event about a container tells beside its id: image, name and labels. */
export function attributesOf({ name, spec }: ContainerRecord): Record<string, string> {
  return { ...spec.config.Labels, image: spec.imageName, name };
}
