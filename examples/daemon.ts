// The whole runtime inside another daemon, which has the last word before every recovery. In a clone of vmpulse, after
// npm install, with a configuration whose directories no other daemon uses:
//   npx tsc -p examples
//   node build/examples/daemon.js CONFIG.yaml
import { existsSync, mkdirSync } from 'node:fs';
import { loadConfig, openJournal, Vmpulse } from 'vmpulse';

const [configPath = '/etc/vmpulse/config.yaml'] = process.argv.slice(2);
const { config, vms } = await loadConfig(configPath);
for (const dir of [config.stateDir, config.runDir]) mkdirSync(dir, { recursive: true });
const journal = await openJournal({ path: `${config.stateDir}/journal.db` });

const vmpulse = new Vmpulse({
  vms,
  runDir: config.runDir,
  stateDir: config.stateDir,
  host: config.hostName,
  policy: config.limits,
  journal,
  // No recovery while our own backup runs; the refusal is journalled and asked again later.
  beforeAction: (action) =>
    existsSync(`${config.runDir}/backup-running`) ? { hold: `backup of ${action.vm} runs` } : { allow: true },
});

const stop = new AbortController();
process.once('SIGINT', () => stop.abort());
process.once('SIGTERM', () => stop.abort());

await vmpulse.start();
console.log(`watching ${vms.length} VMs`);
for await (const event of vmpulse.events({ afterId: 0, signal: stop.signal }))
  console.log(`${event.vm ?? '-'}: ${event.text}`);
// The VMs run on.
await vmpulse.close();
await journal.close();
