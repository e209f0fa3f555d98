import { testCollectorStress } from './collector-stress.contract.ts';

testCollectorStress('disk', { rounds: 40, pause: 150 });
