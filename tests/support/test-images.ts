import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { fileHeader } from '#/tar/tar-entry.ts';
import type { TarInput } from '#/tar/tar-writer.ts';
import type { TestDaemon } from './daemon.ts';
import { tarOf } from './images.ts';

/** What is at a path of an image: a program or file, or a link to elsewhere. */
export type RootEntry = Uint8Array | string | { readonly linkTo: string };

/** What an image has beside busybox. */
export interface RootWish {
  readonly entries?: Readonly<Record<string, RootEntry>>;
  /** Lines as in a Dockerfile. */
  readonly changes?: readonly string[];
}

/**
 * Imports an image of busybox, with some of its applets in /bin, and of these entries, which may be hostile.
 */
export async function importRoot(
  daemon: TestDaemon,
  name: string,
  { entries = {}, changes = [] }: RootWish,
): Promise<void> {
  const applets = ['sh', 'ls', 'cat', 'od', 'id', 'sleep', 'true', 'find', 'pwd', 'echo', 'grep'];
  const all: Readonly<Record<string, RootEntry>> = {
    'bin/busybox': readFileSync('/bin/busybox'),
    ...Object.fromEntries(applets.map((applet) => [`bin/${applet}`, { linkTo: 'busybox' }])),
    ...entries,
  };
  const archive = await tarOf({}, Object.entries(all).map(tarEntry));
  const query = new URLSearchParams([
    ['fromSrc', '-'],
    ['repo', name],
    ...changes.map((line): [string, string] => ['changes', line]),
  ]);
  const { status, body } = await daemon.ask('POST', `/images/create?${query.toString()}`, archive);
  assert.equal(status, 200, body.toString());
  assert.doesNotMatch(body.toString(), /"error"/);
}

function tarEntry([path, content]: [string, RootEntry]): TarInput {
  if (typeof content === 'string' || content instanceof Uint8Array) {
    const bytes = Buffer.from(content);
    return { ...fileHeader(path, bytes.length), mode: 0o755, body: [bytes] };
  }
  return { ...fileHeader(path, 0), kind: 'symlink', linkPath: content.linkTo, body: [] };
}
