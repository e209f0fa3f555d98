import './own-network.ts';
import { Rtnetlink } from '#/kernel/netlink/rtnetlink.ts';

/**
 * An address in a network of the test's own that is not one of those that mean this machine: what registries may do without
 * there, they need here. Import this first, as own-network.ts.
 */
export const ownAddress = '203.0.113.5';

const loopback = 1;
using network = Rtnetlink.open();
network.addAddress(loopback, `${ownAddress}/32`);
