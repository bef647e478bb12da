// A stand-in driver whose VMM has, for one VM, a real monitor: an engine's channel to a peer that speaks QMP.
import { QemuMonitor } from '../dist/hypervisors/qemu/monitor.js';
import { StandInDriver } from './stand-in-driver.mjs';

export class WiredDriver extends StandInDriver {
  #engine;
  #vm;
  #path;

  constructor(engine, vm, path) {
    super();
    this.#engine = engine;
    this.#vm = vm;
    this.#path = path;
  }

  async attach(vm) {
    const session = await super.attach(vm);
    if (vm.id !== this.#vm) return session;
    const channel = this.#engine.openChannel({ protocol: 'qmp', path: this.#path });
    const monitor = new QemuMonitor(channel);
    return {
      ...session,
      monitor: channel,
      onEvent: (listener) => monitor.onEvent(listener),
      detach: async () => {
        channel.close();
        await session.detach();
      },
    };
  }
}
