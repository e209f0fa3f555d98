import { testCollectorStress } from './collector-stress.contract.ts';

testCollectorStress('disk', 40);
