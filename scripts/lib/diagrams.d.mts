/** SVG as text. */
export function healthDiagram(
  table: Readonly<Record<string, { readonly when: string; readonly states: readonly string[] }>>,
): string;
export function ladderDiagram(
  ladders: readonly {
    readonly kind: string;
    readonly cause: string | null;
    readonly steps: readonly string[];
    readonly repeatLast: boolean;
  }[],
): string;
