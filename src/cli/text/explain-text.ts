import type { EpisodeAnswer, ExplainAnswer } from '../../daemon/answers/explain.js';
import { type Paint, paintState } from './paint.js';
import { degradationLines, probeTable } from './status-text.js';
import { moment, span } from './time.js';

/** Why a VM is as it is and what comes next, for a person: the sentences tell it, once; what they leave out follows. */
export function explainText(view: ExplainAnswer, nowMs: number, paint: Paint): string {
  const { vm, health, sinceMs, sentences } = view;
  const sections: [title: string, body: string][] = [
    ['Probes', probeTable(view.probes, nowMs, paint)],
    ['Earlier episodes', view.pastEpisodes.map((episode) => episodeLine(episode)).join('')],
    ['Journal', timed(view.journal.map(({ atMs, type, text }) => [atMs, type, text]))],
  ];
  const head = `${paint.strong(vm)} is ${paintState(health, paint)} since ${moment(sinceMs)} (${span(nowMs - sinceMs)})\n`;
  // The head says it already.
  const isNews = (sentence: string) => !sentence.startsWith(`${vm} is ${health} since `);
  const said = sentences.filter(isNews).map((sentence) => `  ${sentence}\n`);
  const degraded = degradationLines(view.degradations, nowMs, paint);
  const shown = sections
    .filter(([, body]) => body !== '')
    .map(([title, body]) => `\n${paint.strong(title)}\n${indent(body)}`);
  return [head, degraded, ...said, ...shown].join('');
}

function timed(lines: readonly (readonly [atMs: number, what: string, text: string])[]): string {
  const width = Math.max(0, ...lines.map(([, what]) => what.length));
  return lines.map(([atMs, what, text]) => `${moment(atMs)}  ${what.padEnd(width)}  ${text}\n`).join('');
}

function episodeLine(episode: EpisodeAnswer): string {
  const steps = episode.attempts.map(({ step }) => step).join(', ') || 'nothing done';
  return `${moment(episode.startedAtMs)}  ${cause(episode)}: ${steps}; ${episode.outcome}\n`;
}

function cause({ diagnosis }: EpisodeAnswer): string {
  return `${diagnosis.kind} (${diagnosis.cause})`;
}

function indent(text: string): string {
  return text.replace(/^(?=.)/gm, '  ');
}
