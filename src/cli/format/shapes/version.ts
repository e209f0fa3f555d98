import { list, pointer, type Shape, struct } from '../shape.ts';
import { labels } from './common.ts';

/** `docker version`. */
export const versionShape: Shape = struct('system.versionInfo', {
  Client: struct('system.clientVersion', {
    'Platform?': pointer(struct('system.platformInfo', { 'Name?': 'string' })),
    'Version?': 'string',
    'APIVersion:ApiVersion?': 'string',
    'DefaultAPIVersion?': 'string',
    'GitCommit?': 'string',
    'GoVersion?': 'string',
    'Os?': 'string',
    'Arch?': 'string',
    'BuildTime?': 'string',
    Context: 'string',
  }),
  Server: pointer(
    struct('types.Version', {
      Platform: struct('struct { Name string }', { Name: 'string' }),
      'Components?': list(
        struct('types.ComponentVersion', { Name: 'string', Version: 'string', 'Details?': labels }),
      ),
      Version: 'string',
      'APIVersion:ApiVersion': 'string',
      'MinAPIVersion?': 'string',
      GitCommit: 'string',
      GoVersion: 'string',
      Os: 'string',
      Arch: 'string',
      'KernelVersion?': 'string',
      'Experimental?': 'bool',
      'BuildTime?': 'string',
    }),
  ),
});
