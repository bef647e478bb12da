/** One event of a server-sent stream, as it came. */
export interface EventBlock {
  readonly id: string | undefined;
  readonly event: string;
  readonly data: string;
}

/** An event of the daemon is never larger. */
const MAX_BLOCK_CHARS = 1024 * 1024;

/** Splits a server-sent stream into its events. Comments and other fields are left out. Ends when the stream ends. */
export async function* readEventBlocks(chunks: AsyncIterable<Uint8Array>): AsyncIterableIterator<EventBlock> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of chunks) {
    text += decoder.decode(chunk, { stream: true });
    const blocks = text.split('\n\n');
    text = (blocks.pop() ?? '').slice(-MAX_BLOCK_CHARS);
    for (const block of blocks) {
      const event = parseBlock(block);
      if (event) yield event;
    }
  }
}

function parseBlock(block: string): EventBlock | undefined {
  const fields = new Map<string, string>();
  for (const line of block.split('\n')) {
    const match = /^(id|event|data): ?(.*)$/.exec(line);
    if (match?.[1] !== undefined) fields.set(match[1], match[2] ?? '');
  }
  const data = fields.get('data');
  if (data === undefined) return undefined;
  return { id: fields.get('id'), event: fields.get('event') ?? 'message', data };
}
