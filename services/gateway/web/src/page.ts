import type { ComponentType } from "preact";

/** One page of the navigation. */
export interface Page {
  path: string;
  title: string;
  /** What somebody does there, in a sentence for the start page. */
  purpose: string;
  View: ComponentType;
}
