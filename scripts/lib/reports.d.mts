export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

export function readVitest(text: string): Counts;
export function readCargo(text: string): Counts;
export function readCtest(text: string): Counts;
export function readFuzz(text: string): Counts;
