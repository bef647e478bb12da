import { createHash } from 'node:crypto';
import { VmpulseError } from '../model/errors.js';
import type { HostNetwork, Tap } from '../model/link.js';
import type { Links } from './links.js';

/** Makes what is missing of a network's bridge: itself, its address, and that it is up. Says what it did. */
export function ensureBridge(network: HostNetwork, hostName: string, links: Links): readonly string[] {
  const { bridge, address } = network;
  const done: string[] = [];
  let link = links.info(bridge);
  if (link === undefined) {
    links.createBridge(bridge, bridgeMac(bridge, hostName));
    done.push(`bridge ${bridge} made`);
    link = links.info(bridge);
  }
  if (link?.kind !== 'bridge')
    throw networkError(`${bridge} is no bridge; name another, or remove that device`);
  if (address !== undefined && !links.addresses(bridge).includes(address)) {
    links.addAddress(bridge, address);
    done.push(`${bridge} given the address ${address}`);
  }
  if (!link.up) {
    links.setUp(bridge, true);
    done.push(`${bridge} set up`);
  }
  return done;
}

/**
 * Makes what is missing of a VM's device: itself (where it may), its bridge, and that it is up. `user`: whom its VMM runs
 * as, where that is somebody else. Says what it did.
 */
export function ensureTap(tap: Tap, user: number | undefined, links: Links): readonly string[] {
  const { device, bridge } = tap;
  const done: string[] = [];
  let link = links.info(device);
  if (tap.create === true && user !== undefined && link?.tun && link.tun.owner !== user && !link.carrier) {
    links.remove(device);
    done.push(`${device} of another user removed`);
    link = undefined;
  }
  if (link === undefined) {
    if (tap.create !== true)
      throw networkError(`there is no device ${device}; make it, or write create: true`);
    links.createTap(device, user);
    done.push(`${device} made`);
    link = links.info(device);
  }
  if (link?.tun?.type !== 'tap')
    throw networkError(`${device} is no TAP; name another, or remove that device`);
  if (bridge !== undefined && link.master !== bridge) {
    if (links.info(bridge)?.kind !== 'bridge')
      throw networkError(`there is no bridge ${bridge} for ${device}; make it, or name it under networks`);
    links.setMaster(device, bridge);
    done.push(`${device} put on ${bridge}`);
  }
  if (!link.up) {
    links.setUp(device, true);
    done.push(`${device} set up`);
  }
  return done;
}

/** Takes a device down and off its bridge, and back: its bridge learns anew, and the guest's side is left alone. */
export function bounceTap({ device, bridge }: Tap, links: Links): readonly string[] {
  links.setUp(device, false);
  if (bridge !== undefined) {
    links.setMaster(device, undefined);
    links.setMaster(device, bridge);
  }
  links.setUp(device, true);
  return [`${device} taken down and up${bridge === undefined ? '' : `, and put on ${bridge} anew`}`];
}

/** Of its own, and the same each time it is made: with that of a port the guests' gateway would change its address. */
function bridgeMac(bridge: string, hostName: string): string {
  const digest = createHash('sha256').update(`${hostName}/${bridge}`).digest();
  // Locally administered, unicast.
  const first = (((digest[0] ?? 0) & 0xfc) | 0x02).toString(16).padStart(2, '0');
  return [first, ...[1, 2, 3, 4, 5].map((i) => digest.toString('hex', i, i + 1))].join(':');
}

export function networkError(text: string): VmpulseError {
  return new VmpulseError('ERR_VMPULSE_NETWORK', text);
}
