import { accessSync, constants, mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { TestDaemon } from './daemon.ts';
import { DockerCli } from './docker-cli.ts';

/** Where scripts/debian-docker puts it, and where the docker command looks for plugins. */
const folders = [
  join(import.meta.dirname, '../../dist/debian-docker'),
  join(process.env['HOME'] ?? '/root', '.docker/cli-plugins'),
  '/usr/local/lib/docker/cli-plugins',
  '/usr/local/libexec/docker/cli-plugins',
  '/usr/lib/docker/cli-plugins',
  '/usr/libexec/docker/cli-plugins',
  ...(process.env['PATH'] ?? '').split(':'),
];

/** The Buildx to test with; undefined if there is none. */
export const buildxProgram: string | undefined = folders
  .map((folder) => join(folder, 'docker-buildx'))
  .find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });

/** Why tests of Buildx are left out, for `skip`. */
export const noBuildx: string | false =
  buildxProgram === undefined && 'there is no docker-buildx (see scripts/debian-docker)';

/** The docker command with Buildx, talking to a daemon under test. */
export function buildxCli(daemon: TestDaemon): DockerCli {
  const cli = new DockerCli(daemon);
  if (buildxProgram === undefined) throw new Error('there is no docker-buildx');
  mkdirSync(join(cli.dir, 'cli-plugins'));
  symlinkSync(buildxProgram, join(cli.dir, 'cli-plugins/docker-buildx'));
  return cli;
}
