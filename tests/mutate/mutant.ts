/** One rule gone: by SQL, which can be undone, or in a source file. */
export interface Mutant {
  kind: string;
  /** The policy, trigger, table, function or file. */
  on: string;
  what: string;
  sql?: { change: string; undo: string };
  file?: { path: string; text: string };
}

export type Outcome = "noticed" | "survived" | "hung" | "invalid";
