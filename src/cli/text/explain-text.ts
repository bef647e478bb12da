import type { EpisodeAnswer, ExplainAnswer } from '../../daemon/answers/explain.js';
import { type Paint, paintState } from './paint.js';
import { degradationLines, probeTable } from './status-text.js';
import { table } from './table.js';
import { moment, span } from './time.js';

/** Why a VM is as it is and what comes next, for a person. */
export function explainText(view: ExplainAnswer, nowMs: number, paint: Paint): string {
  const { vm, health, sinceMs, sentences, holds, next, budget } = view;
  const sections: [title: string, body: string][] = [
    ['Evidence', timed(view.evidence.map(({ atMs, source, text }) => [atMs, source, text]))],
    ['Episode', view.episode ? episodeText(view.episode, nowMs) : ''],
    [
      'Held',
      holds
        .map(
          ({ rule, text, untilMs }) =>
            `${text} (${rule}${untilMs === null ? '' : `, ${span(untilMs - nowMs)} more`})\n`,
        )
        .join(''),
    ],
    ['Next', next ? nextText(next, nowMs) : ''],
    [
      'Budget',
      `${budget.consecutiveUsed} of ${budget.consecutiveMax} recoveries in a row, ${budget.rolling24hUsed} of ${budget.rolling24hMax} in 24 h\n`,
    ],
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

/** The step, when it comes if that is known and still to come, and on what condition. */
function nextText({ step, atMs, text }: NonNullable<ExplainAnswer['next']>, nowMs: number): string {
  const when = atMs === null || atMs <= nowMs ? '' : ` in ${span(atMs - nowMs)},`;
  return `${step}${when} ${text}\n`;
}

function timed(lines: readonly (readonly [atMs: number, what: string, text: string])[]): string {
  const width = Math.max(0, ...lines.map(([, what]) => what.length));
  return lines.map(([atMs, what, text]) => `${moment(atMs)}  ${what.padEnd(width)}  ${text}\n`).join('');
}

function episodeText(episode: EpisodeAnswer, nowMs: number): string {
  const { startedAtMs, diagnosedAtMs, healedAtMs, attempts } = episode;
  const healed =
    healedAtMs === null
      ? `not healed after ${span(nowMs - startedAtMs)}`
      : `healed after ${span(healedAtMs - startedAtMs)}`;
  const line = `${cause(episode)}, began ${moment(startedAtMs)}, diagnosed ${diagnosedAtMs - startedAtMs} ms later, ${healed}\n`;
  if (attempts.length === 0) return line;
  const rows = attempts.map(({ step, cause: why, startedAtMs: atMs, endedAtMs, result }, index) => [
    `${index + 1}.`,
    step,
    why,
    moment(atMs),
    endedAtMs === null ? '-' : `${endedAtMs - atMs} ms`,
    result === null ? 'under way' : resultText(result),
  ]);
  return line + table(['', 'STEP', 'CAUSE', 'BEGAN', 'TOOK', 'RESULT'], rows);
}

function resultText({
  result,
  code,
  message,
}: NonNullable<EpisodeAnswer['attempts'][number]['result']>): string {
  const why = message === undefined ? '' : `: ${message}`;
  return `${result}${why}${code === undefined ? '' : ` [${code}]`}`;
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
