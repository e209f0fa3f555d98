import { messageOf } from '#/base/errors.ts';
import { unavailable } from '../errors.ts';
import type { Metadata } from '../metadata/metadata.ts';
import { Metrics } from '../observe/prometheus.ts';
import type { ExtraRoute } from '../server.ts';

/** How to tell whether requests should come here. */
export interface Readiness {
  readonly metadata: Metadata;
  readonly isDraining: () => boolean;
}

/** `/healthz`: the process answers. `/readyz`: it also gets at its content, and does not stop just now. */
export function healthRoutes({ metadata, isDraining }: Readiness): readonly ExtraRoute[] {
  return [
    { path: '/healthz', methods: { GET: (call) => Promise.resolve(call.json({ status: 'ok' })) } },
    {
      path: '/readyz',
      methods: {
        GET: async (call) => {
          if (isDraining()) throw unavailable('the registry is being stopped');
          try {
            await metadata.repositories({ limit: 1 });
          } catch (error) {
            call.log.error('the content is not available', { problem: messageOf(error) });
            throw unavailable('the content is not available; the log says why');
          }
          call.json({ status: 'ready' });
        },
      },
    },
  ];
}

/** `/metrics` beside the registry, for administrators. */
export function metricsRoute(metrics: Metrics): ExtraRoute {
  return {
    path: '/metrics',
    methods: {
      GET: (call) => {
        call.require('admin');
        call.bytes(Buffer.from(metrics.text()), { 'Content-Type': Metrics.contentType });
        return Promise.resolve();
      },
    },
  };
}
