/** A network device of the host, as the kernel shows it. */
export interface LinkInfo {
  /** The kernel's number of it; another one after it was made anew. */
  readonly index: number;
  readonly name: string;
  /** `52:54:00:12:34:56`; null for a device that has none. */
  readonly mac: string | null;
  /** `tun` (also a TAP), `bridge`, `veth` …; null for hardware. */
  readonly kind: string | null;
  /** Bytes. */
  readonly mtu: number;
  /** Set up by its administrator. */
  readonly up: boolean;
  /** Somebody is at the other end: for a TAP, a process that holds its queue. */
  readonly carrier: boolean;
  /** The bridge that it is a port of; null: none. */
  readonly master: string | null;
  /** Since it was made. Of a TAP, what the host received is what the guest sent. */
  readonly receivedPackets: number;
  readonly receivedBytes: number;
  readonly sentPackets: number;
  readonly sentBytes: number;
  /** Null for a device that is no TUN and no TAP. */
  readonly tun: {
    readonly type: 'tap' | 'tun';
    readonly persistent: boolean;
    readonly vnetHeader: boolean;
    readonly multiQueue: boolean;
    /** User and group that may attach; null: whoever has CAP_NET_ADMIN. */
    readonly owner: number | null;
    readonly group: number | null;
  } | null;
}
