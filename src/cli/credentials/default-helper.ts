import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import type { CliConfigValues } from '../config.ts';
import type { HelperEnv } from './helper.ts';

/**
 * The helper for one who has decided nothing: the password manager of the system, if its helper is installed and the
 * file neither names a helper nor has credentials. Empty if there is none.
 */
export function defaultHelper(
  { auths, credsStore, credHelpers }: Pick<CliConfigValues, 'auths' | 'credsStore' | 'credHelpers'>,
  env: HelperEnv,
): string {
  const decided = [...Object.keys(auths), ...Object.keys(credHelpers)].length > 0;
  if (credsStore !== '' || decided) return credsStore;
  const name = isProgram('pass', env) ? 'pass' : 'secretservice';
  return isProgram(`docker-credential-${name}`, env) ? name : '';
}

function isProgram(name: string, env: HelperEnv): boolean {
  return (env['PATH'] ?? '').split(':').some((folder) => {
    try {
      accessSync(join(folder || '.', name), constants.X_OK);
      return true;
    } catch {
      // Not here, or not ours to run.
      return false;
    }
  });
}
