import { readdirSync, readFileSync } from 'node:fs';

/** PID, state letter, number of threads and start time of a process, or undefined when it is gone. */
export function processIdentity(pid) {
  let stat;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return undefined;
  }
  // The name may hold spaces and parentheses: count fields from the last ')'.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return { pid, state: fields[0], threads: Number(fields[17]), startTimeTicks: Number(fields[19]) };
}

/** True while that very process lives (not merely its PID): its files stay open until its last thread has ended. */
export function isAlive({ pid, startTimeTicks }) {
  const seen = processIdentity(pid);
  if (seen?.startTimeTicks !== startTimeTicks) return false;
  return seen.state !== 'Z' || seen.threads > 1;
}

/** Processes other than this one whose command line has the text: the path of a folder that is ours alone finds its VMMs. */
export function processesNaming(text) {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((name) => commandLine(name).includes(text))
    .flatMap((name) => processIdentity(Number(name)) ?? []);
}

function commandLine(pid) {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}
