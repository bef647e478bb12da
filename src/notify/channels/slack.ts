import type { NotifyWay } from '../../model/notification.js';
import { isAllowedUrl } from '../../model/url.js';
import { linesOf, subjectOf } from '../message.js';
import { postJson } from '../post-json.js';
import { Undelivered } from '../undelivered.js';
import type { Send } from './channel.js';

/** Slack cuts a longer text. */
const MAX_TEXT_CHARS = 3_500;

/** Text for an incoming webhook of Slack, or of what understands the same (Mattermost, Rocket.Chat). */
export const sendSlack: Send<Extract<NotifyWay, { kind: 'slack' }>> = async (
  { url, caFile },
  { message, secret, signal },
) => {
  const place = await secret(url);
  if (!isAllowedUrl(place)) throw new Undelivered('what is given as the URL of Slack is no https:// URL');
  const text = escapeSlack([subjectOf(message), ...linesOf(message)].join('\n'));
  const cut = text.length > MAX_TEXT_CHARS ? `${text.slice(0, MAX_TEXT_CHARS)}…` : text;
  // Nothing in it is markup: neither links nor mentions can be made by what a guest says.
  const body = { text: cut, mrkdwn: false, link_names: false, unfurl_links: false, unfurl_media: false };
  await postJson({ url: place, body, headers: {}, caFile, signal });
};

/** The three characters that have a meaning in every text of Slack. */
export function escapeSlack(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
