import { z } from 'zod';
import type { LinkInfo } from '../model/link.js';
import { nativeKernel } from './loader.js';
import { callNative, checkedResult, type Remedies } from './native-errors.js';
import type { NativeLinkMonitor } from './native-kernel.js';

const linkSchema = z
  .object({
    index: z.int(),
    name: z.string(),
    mac: z.string().nullable(),
    kind: z.string().nullable(),
    mtu: z.int(),
    up: z.boolean(),
    carrier: z.boolean(),
    master: z.string().nullable(),
    receivedPackets: z.number(),
    receivedBytes: z.number(),
    sentPackets: z.number(),
    sentBytes: z.number(),
    tun: z
      .object({
        type: z.enum(['tap', 'tun']),
        persistent: z.boolean(),
        vnetHeader: z.boolean(),
        multiQueue: z.boolean(),
        owner: z.int().nullable(),
        group: z.int().nullable(),
      })
      .nullable(),
  })
  .optional();
const addressesSchema = z.array(z.string());
const newsSchema = z.object({
  names: z.array(z.string()),
  overrun: z.boolean(),
  failure: z.string().nullable(),
});

const CHANGE: Remedies = { EPERM: 'run as root, or with CAP_NET_ADMIN' };

/**
 * A device of this process's network namespace; undefined where there is none of that name. Takes microseconds.
 * Throws ERR_VMPULSE_ARGUMENT for no name of a device, ERR_VMPULSE_SYSCALL.
 */
export function linkInfo(name: string): LinkInfo | undefined {
  return checkedResult(
    linkSchema,
    callNative(() => nativeKernel().linkInfo(name)),
  );
}

/** Addresses of a device with their prefix, `10.77.0.1/24`. Throws ERR_VMPULSE_SYSCALL: `errno` ENODEV. */
export function linkAddresses(name: string): readonly string[] {
  return checkedResult(
    addressesSchema,
    callNative(() => nativeKernel().linkAddresses(name)),
  );
}

/** Sets a device up or down. Throws ERR_VMPULSE_SYSCALL: `errno` ENODEV, EPERM. */
export function setLinkUp(name: string, up: boolean): void {
  callNative(() => nativeKernel().setLinkUp(name, up), CHANGE);
}

/** Makes a device a port of a bridge, or (undefined) of none. Throws ERR_VMPULSE_SYSCALL: `errno` ENODEV, EPERM … */
export function setLinkMaster(name: string, master: string | undefined): void {
  callNative(() => nativeKernel().setLinkMaster(name, master), CHANGE);
}

/**
 * Makes a bridge; it is down. With `mac` it keeps that address, whatever ports come and go. Throws
 * ERR_VMPULSE_SYSCALL: `errno` EEXIST where the name is taken, EPERM, EOPNOTSUPP without the module bridge.
 */
export function createBridge(name: string, mac?: string): void {
  callNative(() => nativeKernel().createBridge(name, mac), {
    ...CHANGE,
    EOPNOTSUPP: 'load the module bridge',
  });
}

/**
 * Makes a persistent TAP device with virtio headers, for one VMM to attach to by name; it is down and on no bridge.
 * `user` and `group` may attach without privileges. Throws ERR_VMPULSE_SYSCALL: `errno` EBUSY where the name is taken,
 * EPERM, ENOENT without /dev/net/tun.
 */
export function createTap(
  name: string,
  owners: { readonly user?: number; readonly group?: number } = {},
): void {
  callNative(() => nativeKernel().createTap(name, owners.user, owners.group), {
    ...CHANGE,
    EBUSY: 'a device of that name is there already',
    ENOENT: 'load the module tun',
  });
}

/** Removes a device. Throws ERR_VMPULSE_SYSCALL: `errno` ENODEV, EPERM, EOPNOTSUPP for hardware. */
export function removeLink(name: string): void {
  callNative(() => nativeKernel().removeLink(name), CHANGE);
}

/** Adds an address with its prefix, `10.77.0.1/24`. Throws ERR_VMPULSE_SYSCALL: `errno` EEXIST, EINVAL, EPERM. */
export function addAddress(name: string, address: string): void {
  callNative(() => nativeKernel().addAddress(name, address), CHANGE);
}

/** What was heard of the devices of the host. */
export interface LinkNews {
  /** Devices that were made, changed or removed; ask linkInfo how they are now. */
  readonly names: readonly string[];
  /** More happened than could be told: any device may have changed. */
  readonly overrun: boolean;
  /** It hears nothing any more, and why; null: it goes on. */
  readonly failure: string | null;
}

/**
 * Tells of every change of a network device of this process's network namespace, within a millisecond or so. Keep it as
 * long as it shall listen; it does not keep the process alive.
 */
export class LinkMonitor {
  readonly #native: NativeLinkMonitor;

  /** Throws ERR_VMPULSE_SYSCALL where the kernel gives no such socket. */
  constructor(listener: (news: LinkNews) => void) {
    const heard = (news: unknown) => listener(checkedResult(newsSchema, news));
    this.#native = callNative(() => new (nativeKernel().LinkMonitor)(heard));
  }

  get closed(): boolean {
    return this.#native.closed;
  }

  /** Nothing is told after it. Idempotent. */
  close(): void {
    this.#native.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
