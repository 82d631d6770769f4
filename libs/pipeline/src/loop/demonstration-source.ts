import type { Conversation } from "@stagecraft/data";

/** Demonstrations that were read, and what to remember so that no later round takes them again. */
export interface NewDemonstrations {
  demonstrations: Conversation[];
  /** Files that were read, as `name sha256`. */
  files: string[];
  /** Up to where a service was read; absent = none was. */
  position?: string;
}

/** Where people's demonstrations come from. */
export interface DemonstrationSource extends AsyncDisposable {
  /** As a person would look for it: "in runs/loop/demonstrations". */
  readonly where: string;
  /** Those that no round has taken. */
  read(): Promise<NewDemonstrations>;
}
