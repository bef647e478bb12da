import { VmpulseError } from '../../../src/model/errors.js';
import type { LinkInfo, Tap } from '../../../src/model/link.js';
import type { VmSpec } from '../../../src/model/vm.js';
import type { Forwarding, Links, PacketFilter } from '../../../src/network/index.js';
import { vmSpec } from '../../fixtures/vm-spec.js';

const NO_COUNTERS = { receivedPackets: 0, receivedBytes: 0, sentPackets: 0, sentBytes: 0 };

/** Network devices in memory, with what was changed. */
export class FakeLinks implements Links {
  readonly all = new Map<string, LinkInfo>();
  readonly changes: string[] = [];
  readonly #addresses = new Map<string, string[]>();

  tap(name: string, more: Partial<LinkInfo> = {}): this {
    const tun = {
      type: 'tap',
      persistent: true,
      vnetHeader: true,
      multiQueue: false,
      owner: null,
      group: null,
    } as const;
    return this.#set(name, { kind: 'tun', up: true, carrier: true, tun, ...more });
  }

  bridge(name: string, more: Partial<LinkInfo> = {}, addresses: string[] = []): this {
    this.#addresses.set(name, addresses);
    return this.#set(name, { kind: 'bridge', up: true, carrier: true, ...more });
  }

  hardware(name: string): this {
    return this.#set(name, { up: true, carrier: true });
  }

  info = (name: string) => this.all.get(name);
  addresses = (name: string) => this.#addresses.get(name) ?? [];
  setUp = (name: string, up: boolean) => this.#change(name, { up }, up ? 'up' : 'down');
  setMaster = (name: string, bridge: string | undefined) =>
    this.#change(name, { master: bridge ?? null }, `master ${bridge ?? 'none'}`);

  createBridge(name: string, mac: string): void {
    this.changes.push(`${name} bridge`);
    this.bridge(name, { up: false, mac });
  }

  createTap(name: string, user: number | undefined): void {
    this.changes.push(`${name} tap${user === undefined ? '' : ` of ${user}`}`);
    this.tap(name, { up: false, carrier: false });
  }

  remove(name: string): void {
    this.changes.push(`${name} removed`);
    this.all.delete(name);
  }

  addAddress(name: string, address: string): void {
    this.changes.push(`${name} address ${address}`);
    this.#addresses.get(name)?.push(address);
  }

  #change(name: string, more: Partial<LinkInfo>, what: string): void {
    const link = this.all.get(name);
    if (!link) throw new VmpulseError('ERR_VMPULSE_SYSCALL', `${name}: ENODEV`);
    this.changes.push(`${name} ${what}`);
    this.all.set(name, { ...link, ...more });
  }

  #set(name: string, more: Partial<LinkInfo>): this {
    const base = {
      index: this.all.size + 1,
      name,
      mac: null,
      kind: null,
      mtu: 1500,
      up: false,
      carrier: false,
    };
    this.all.set(name, { ...base, master: null, tun: null, ...NO_COUNTERS, ...more });
    return this;
  }
}

export class FakeForwarding implements Forwarding {
  readonly on = new Set<4 | 6>();
  isOn = async (family: 4 | 6) => this.on.has(family);
  switchOn = async (family: 4 | 6) => {
    this.on.add(family);
  };
}

/** Takes scripts and gives back as a table whatever was applied last. */
export class FakeFilter implements PacketFilter {
  readonly applied: string[] = [];
  table: string | undefined;
  refuses = false;
  tracks = true;

  async apply(script: string): Promise<void> {
    if (this.refuses) throw new VmpulseError('ERR_VMPULSE_NETWORK', 'nft refuses the rules');
    this.applied.push(script);
    this.table = script;
  }

  accepts = async () => this.tracks;
  read = async () => this.table;
}

/** A VM with one TAP. */
export function vmWith(tap: Partial<Tap> = {}, id = 'default/web-1'): VmSpec {
  const vm = vmSpec('web-1', { id });
  const interfaces = [{ type: 'tap', device: 'tap0', bridge: 'vmbr0', create: true, ...tap } as const];
  return { ...vm, hypervisor: { ...vm.hypervisor, interfaces } };
}
