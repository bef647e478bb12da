/** Pages of an answer, one after the other as they are asked for, the last included. */
export async function* pages<Page>(
  ask: (cursor: string | undefined) => Promise<Page>,
  nextOf: (page: Page) => string | null,
): AsyncGenerator<Page, void, undefined> {
  for (let cursor: string | null | undefined; cursor !== null; ) {
    const page = await ask(cursor);
    cursor = nextOf(page);
    yield page;
  }
}
