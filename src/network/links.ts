import {
  addAddress,
  createBridge,
  createTap,
  linkAddresses,
  linkInfo,
  removeLink,
  setLinkMaster,
  setLinkUp,
} from '../kernel/index.js';
import type { LinkInfo } from '../model/link.js';

/** The network devices of a host, as far as they are read and changed here. Each call is one short system call. */
export interface Links {
  info(name: string): LinkInfo | undefined;
  addresses(name: string): readonly string[];
  setUp(name: string, up: boolean): void;
  /** Undefined: on no bridge. */
  setMaster(name: string, bridge: string | undefined): void;
  createBridge(name: string, mac: string): void;
  /** `user`: who may attach to it without privileges; unset: nobody in particular. */
  createTap(name: string, user: number | undefined): void;
  remove(name: string): void;
  addAddress(name: string, address: string): void;
}

/** Those of the host that this process runs on. */
export const hostLinks: Links = {
  info: linkInfo,
  addresses: linkAddresses,
  setUp: setLinkUp,
  setMaster: setLinkMaster,
  createBridge,
  createTap: (name, user) => createTap(name, user === undefined ? {} : { user }),
  remove: removeLink,
  addAddress,
};
