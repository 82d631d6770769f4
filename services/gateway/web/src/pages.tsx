import type { Session } from "../../src/http/api/index.js";
import { BreakPage } from "./break/break-page.js";
import { ChatPage } from "./chat/chat-page.js";
import { HomePage } from "./home-page.js";
import { ModelsPage } from "./models/models-page.js";
import { OperatorPage } from "./operator/operator-page.js";
import type { Page } from "./page.js";
import { PeoplePage } from "./people/people-page.js";
import { RankPage } from "./rank/rank-page.js";
import { RunsPage } from "./runs/runs-page.js";
import { WritePage } from "./write/write-page.js";

/** Every page; the server says which of them a person may see. */
const PAGES: readonly (Page & { key: keyof Session["pages"] | null })[] = [
  { key: null, path: "/", title: "Start", purpose: "", View: HomePage },
  {
    key: "rank",
    path: "/rank",
    title: "Rank",
    purpose: "Put the assistant’s answers in order, best first. From this it learns what is good.",
    View: RankPage,
  },
  {
    key: "write",
    path: "/write",
    title: "Write",
    purpose: "Write the answer that the assistant should have given. It learns from your example.",
    View: WritePage,
  },
  {
    key: "breakIt",
    path: "/break",
    title: "Break it",
    purpose: "Find an answer that should not be given, and flag it.",
    View: BreakPage,
  },
  {
    key: "chat",
    path: "/chat",
    title: "Chat",
    purpose: "Talk to the assistant, compare two versions, and vote.",
    View: ChatPage,
  },
  {
    key: "people",
    path: "/people",
    title: "People",
    purpose: "Invite people, see their work and where they disagree.",
    View: PeoplePage,
  },
  {
    key: "models",
    path: "/models",
    title: "Models",
    purpose:
      "Every version, where it comes from, and which one answers; put one to use, or go back.",
    View: ModelsPage,
  },
  {
    key: "runs",
    path: "/runs",
    title: "Runs",
    purpose: "Watch what is trained, compare runs, start, pause and resume them.",
    View: RunsPage,
  },
  {
    key: "operator",
    path: "/operator",
    title: "Operator",
    purpose: "The queue, the rounds, the settings, and everything as files.",
    View: OperatorPage,
  },
];

/** The pages that a person may see, in the order of the navigation; the start page is first. */
export function pagesOf({ pages }: Session): Page[] {
  return PAGES.filter(({ key }) => key === null || pages[key]);
}
