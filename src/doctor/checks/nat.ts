import type { CheckContext, DoctorCheck } from '../check.js';
import { type Finding, info, ok, warning } from '../finding.js';

export const nat: DoctorCheck = {
  id: 'nat',
  looksAt: 'nft, and whether any rule masquerades.',
  why: 'Guests with private addresses reach other networks through NAT; rules for VMs are made with nftables.',
  look: async (context) => {
    const path = await context.host.findProgram('nft');
    if (path === undefined) return [await withoutNft(context)];
    const { host, call, demand } = context;
    const run = await host.run([path, 'list', 'ruleset'], call);
    if (!run.ended) return [warning(`nft does not answer: ${run.why}`)];
    if (run.code !== 0)
      return [
        info(`nft cannot be asked: ${run.stderr.trim().split('\n', 1)[0]}`, 'run vmpulse doctor as root'),
      ];
    if (/\b(masquerade|snat)\b/.test(run.stdout)) return [ok('nft is there, and a rule masquerades')];
    const fix =
      "nft 'add table ip nat; add chain ip nat postrouting { type nat hook postrouting priority 100; }; add rule ip nat postrouting ip saddr 192.168.100.0/24 masquerade'";
    const seen = 'nft is there, and no rule masquerades';
    return [
      demand.taps.length > 0
        ? info(`${seen}; guests need none where they have addresses of the network`, fix)
        : info(seen, fix),
    ];
  },
};

async function withoutNft({ host, demand }: CheckContext): Promise<Finding> {
  const other = (await host.findProgram('iptables')) === undefined ? 'nor iptables' : 'iptables is there';
  const seen = `nft is not installed (${other})`;
  const fix = 'apt-get install nftables';
  return demand.taps.length > 0 ? warning(seen, fix) : info(seen, fix);
}
