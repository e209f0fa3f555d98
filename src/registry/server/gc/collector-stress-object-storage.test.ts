import { onObjectStorage } from '#tests/registry-server.ts';
import { testCollectorStress } from './collector-stress.contract.ts';

onObjectStorage();
// Each request takes several at the store.
testCollectorStress('object storage', { rounds: 4, pause: 3000 });
