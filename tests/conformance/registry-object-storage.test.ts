import { onObjectStorage } from '#tests/registry-server.ts';

// The same tests as for files, for a registry whose blobs and metadata are objects of a bucket.
onObjectStorage();
await import('./registry-discovery.test.ts');
await import('./registry-pull.test.ts');
await import('./registry-push-blobs.test.ts');
await import('./registry-push-manifests.test.ts');
