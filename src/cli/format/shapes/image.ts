import { list, pointer, type Shape, struct } from '../shape.ts';
import { containerConfig, descriptor, graphDriver, healthConfig, labels, set, strings } from './common.ts';

/** `docker image inspect`. */
export const imageShape: Shape = struct('image.InspectResponse', {
  'ID:Id': 'string',
  RepoTags: strings,
  RepoDigests: strings,
  Parent: 'string',
  Comment: 'string',
  'Created?': 'string',
  'Container?': 'string',
  'ContainerConfig?': pointer(containerConfig),
  DockerVersion: 'string',
  Author: 'string',
  Config: pointer(
    struct('v1.DockerOCIImageConfig', {
      'User?': 'string',
      'ExposedPorts?': set,
      'Env?': strings,
      'Entrypoint?': strings,
      'Cmd?': strings,
      'Volumes?': set,
      'WorkingDir?': 'string',
      'Labels?': labels,
      'StopSignal?': 'string',
      'ArgsEscaped?': 'bool',
      'Healthcheck?': pointer(healthConfig),
      'OnBuild?': strings,
      'Shell?': strings,
    }),
  ),
  Architecture: 'string',
  'Variant?': 'string',
  Os: 'string',
  'OsVersion?': 'string',
  Size: 'int',
  'VirtualSize?': 'int',
  GraphDriver: graphDriver,
  RootFS: struct('image.RootFS', { 'Type?': 'string', 'Layers?': strings }),
  Metadata: struct('image.Metadata', { 'LastTagTime?': 'time' }),
  'Descriptor?': descriptor,
  'Manifests?': list('any'),
});
