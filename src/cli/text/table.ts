/** One cell: what is written, and how it is coloured once its width is known. */
export interface Cell {
  readonly text: string;
  readonly paint?: (text: string) => string;
}

/** Columns aligned by the widest cell, two spaces apart; the last one is not padded. */
export function table(header: readonly string[], rows: readonly (readonly (string | Cell)[])[]): string {
  const lines = [header, ...rows].map((row) =>
    row.map((cell) => (typeof cell === 'string' ? { text: cell } : cell)),
  );
  const widths = header.map((_, column) => Math.max(...lines.map((row) => row[column]?.text.length ?? 0)));
  return lines
    .map(
      (row) =>
        `${row
          .map((cell, column) => pad(cell, column, widths))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('');
}

function pad({ text, paint }: Cell, column: number, widths: readonly number[]): string {
  const isLast = column === widths.length - 1;
  const fill = isLast ? '' : ' '.repeat((widths[column] ?? 0) - text.length);
  return (paint ? paint(text) : text) + fill;
}
