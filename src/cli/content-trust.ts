import type { Context } from './command.ts';
import { boolFlag, type Flag } from './flags/flag.ts';

/** `--disable-content-trust`: there is no other way here, so it is only accepted. */
export const contentTrustFlag: Flag<boolean> = boolFlag('Do not verify signatures of tags', {
  initial: true,
});

/** Refuses what would have to be verified and cannot be. Throws an Error. */
export function checkContentTrust(
  flags: { readonly 'disable-content-trust': boolean },
  { env, given }: { env: Context['env']; given: ReadonlySet<string> },
): void {
  const wanted = given.has('disable-content-trust')
    ? !flags['disable-content-trust']
    : /^(1|t|true)$/i.test(env['DOCKER_CONTENT_TRUST'] ?? '');
  if (!wanted) return;
  throw new Error(
    'content trust (signatures of tags by Notary) is not supported; use a digest, NAME@sha256:…, or --disable-content-trust',
  );
}
