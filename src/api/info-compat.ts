import type { SystemInfo } from '#/wire/system.ts';
import { compareVersions } from '#/wire/version.ts';

/** `GET /info` with what clients of older versions of the API expect, from the history of the Engine API. */
export function infoAsOf(version: string, info: SystemInfo): object {
  const before = (other: string): boolean => compareVersions(version, other) < 0;
  const { ContainerdCommit, RuncCommit, InitCommit } = info;
  return {
    ...info,
    ...(before('1.50') ? { BridgeNfIptables: false, BridgeNfIp6tables: false } : {}),
    ...(before('1.49')
      ? {
          ContainerdCommit: withExpected(ContainerdCommit),
          RuncCommit: withExpected(RuncCommit),
          InitCommit: withExpected(InitCommit),
        }
      : {}),
  };
}

function withExpected(commit: { readonly ID: string }): object {
  return { ...commit, Expected: commit.ID };
}
