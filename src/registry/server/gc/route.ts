import type { Call } from '../call.ts';
import { unsupported } from '../errors.ts';
import type { ExtraRoute } from '../server.ts';
import type { Collector } from './collector.ts';

/**
 * `/skiff/v1/gc`: POST collects and answers with the report when it is done, with `?dry-run=1` it only tells what would be done and
 * why; GET gives the report of the last collection, `null` if there was none. Needs the right `admin`.
 */
export function collectionRoute(collector: Collector): ExtraRoute {
  return {
    path: '/skiff/v1/gc',
    methods: {
      POST: async (call) => {
        call.require('admin');
        call.json(await collector.run({ dryRun: isDryRun(call) }));
      },
      GET: async (call) => {
        call.require('admin');
        call.json(collector.last ?? null);
      },
    },
  };
}

function isDryRun(call: Call): boolean {
  const text = call.query.get('dry-run') ?? '0';
  if (text === '1' || text === 'true') return true;
  if (text === '0' || text === 'false') return false;
  throw unsupported(`parameter dry-run: "${text.slice(0, 100)}" is neither 1 nor 0`);
}
