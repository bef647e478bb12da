import { z } from 'zod';
import { linkInfo } from '../kernel/index.js';
import { VmpulseError } from '../model/errors.js';
import { given } from '../model/given.js';
import { faultsOf, isLost, type Tap, tapsOf } from '../model/link.js';
import type { ProbeCheck } from '../model/probe.js';
import type { ExternalProbe, ExternalSetting, Finding } from './external.js';
import { deviceField, deviceProblem } from './fields.js';
import { defineKind } from './probe-kind.js';
import { targetError } from './target-text.js';

type TapLinkCheck = Extract<ProbeCheck, { kind: 'tapLink' }>;

const TARGET = 'a TAP device, where wanted with the bridge that it must be on: tap0 or tap0@vmbr0';

/** Looks at the host's side of a VM's network; says nothing of the guest behind it. */
export const tapLink = defineKind<TapLinkCheck>({
  kind: 'tapLink',
  aliases: ['tap'],
  summary: 'looks at the TAP device of a VM: there, up, held by its VMM, on its bridge',
  targetHelp: TARGET,
  evidenceOnly: true,
  schema: z
    .strictObject({
      device: deviceField('TAP device', 'tap0').optional(),
      bridge: deviceField('bridge', 'vmbr0').optional(),
    })
    .superRefine(({ device, bridge }, ctx) => {
      if (device !== undefined || bridge === undefined) return;
      const message =
        'is that of a device; add device, or remove it: each device has its own in the host document';
      ctx.addIssue({ code: 'custom', message, path: ['bridge'] });
    })
    .transform((written): TapLinkCheck => tapLinkCheck(written.device, written.bridge)),
  parseTarget: (text, name) => {
    const [device = '', bridge, ...rest] = text.split('@');
    const problem = deviceProblem(device) ?? (bridge === undefined ? undefined : deviceProblem(bridge));
    if (problem !== undefined || rest.length > 0)
      throw targetError(name, text, problem?.split(';')[0] ?? 'names more than one bridge', TARGET);
    return { check: tapLinkCheck(device, bridge) };
  },
  lookups: () => ({}),
  open: (check, setting) => new TapLinkProbe(tapsToLookAt(check, setting), setting),
  label: ({ device = 'of the VM' }) => `TAP device ${device}`,
});

function tapLinkCheck(device: string | undefined, bridge: string | undefined): TapLinkCheck {
  return {
    kind: 'tapLink',
    ...given({ device, bridge }),
  };
}

function tapsToLookAt({ device, bridge }: TapLinkCheck, { vm }: ExternalSetting): readonly Tap[] {
  const own = vm?.hypervisor === undefined ? [] : tapsOf({ hypervisor: vm.hypervisor });
  if (device !== undefined) {
    const known = own.find((tap) => tap.device === device);
    return [{ type: 'tap', device, ...known, ...given({ bridge }) }];
  }
  if (own.length > 0) return own;
  throw new VmpulseError('ERR_VMPULSE_ARGUMENT', 'the VM has no TAP device; write tapLink.device');
}

/** Packets of a device up to the last time that the guest sent one. */
interface Sent {
  readonly received: number;
  readonly sent: number;
  readonly sinceMs: number;
}

class TapLinkProbe implements ExternalProbe {
  readonly #taps: readonly Tap[];
  readonly #setting: ExternalSetting;
  readonly #moved = new Map<string, Sent>();

  constructor(taps: readonly Tap[], setting: ExternalSetting) {
    this.#taps = taps;
    this.#setting = setting;
  }

  newInstance(): void {
    this.#moved.clear();
  }

  async probe(): Promise<Finding> {
    // A VM's probes run while its VMM does, and by hand one asks of a device that is in use.
    const faults = this.#taps.flatMap((tap) => faultsOf(tap, true, linkInfo));
    const worst = faults.find(({ fault }) => isLost(fault)) ?? faults[0];
    if (worst === undefined) return { outcome: { result: 'ok' }, warnings: this.#frozen() };
    const isGone = isLost(worst.fault) || worst.fault === 'not-a-tap';
    const reason = isGone ? 'device-missing' : 'network-unreachable';
    const message = faults.map(({ text }) => text).join('; ');
    return { outcome: { result: 'failed', reason }, message };
  }

  /** A guest that is sent to and sends nothing may be dead, or have nothing to say: evidence, and never a failure. */
  #frozen(): readonly string[] {
    const nowMs = this.#setting.clock.now();
    return this.#taps.flatMap(({ device }) => {
      const link = linkInfo(device);
      if (link === undefined) return [];
      const { receivedPackets: received, sentPackets: sent } = link;
      const last = this.#moved.get(device);
      if (last === undefined || last.received !== received || last.sent > sent) {
        this.#moved.set(device, { received, sent, sinceMs: nowMs });
        return [];
      }
      const unanswered = sent - last.sent;
      if (unanswered === 0) return [];
      const seconds = Math.round((nowMs - last.sinceMs) / 1000);
      return [
        `the guest has sent nothing on ${device} for ${seconds} s, while ${unanswered} packets went to it`,
      ];
    });
  }
}
