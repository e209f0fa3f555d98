import type { Call, Route } from '../call.ts';
import { uploadOf } from '../input.ts';
import { beginStream, json, send } from '../respond.ts';

/** The directory of a cache mount as a tar archive: docs/BUILD-API.md. */
async function exportMount(call: Call): Promise<void> {
  const { engine, query, response, signal } = call;
  const archive = engine.builder.exportCacheMount(query.text('id'));
  try {
    // Errors before the first bytes still get a status of their own.
    const first = await archive.next();
    beginStream(call, 'application/x-tar');
    if (first.value !== undefined) await send(response, first.value, { signal });
    for await (const chunk of archive) await send(response, chunk, { signal });
    response.end();
  } finally {
    await archive.return();
  }
}

async function importMount(call: Call): Promise<void> {
  const { engine, signal } = call;
  const { id, name } = await engine.builder.importCacheMount(uploadOf(call), { signal });
  json(call, { ID: id, Name: name }, 201);
}

/** Cache mounts from one machine to another. */
export const cacheMountRoutes: readonly Route[] = [
  ['GET', '/skiff/build/mounts', exportMount],
  ['POST', '/skiff/build/mounts', importMount],
];
