import type { Session } from "../../src/http/api/index.js";
import { HomePage } from "./home-page.js";
import type { Page } from "./page.js";
import { RankPage } from "./rank/rank-page.js";

/** The pages that the server says a person may see, in the order of the navigation. */
export function pagesOf({ pages }: Session): Page[] {
  const all: (Page & { isShown: boolean })[] = [
    { path: "/", title: "Start", purpose: "", View: HomePage, isShown: true },
    {
      path: "/rank",
      title: "Rank",
      purpose:
        "Put the assistant's answers in order, best first. From this it learns what is good.",
      View: RankPage,
      isShown: pages.rank,
    },
  ];
  return all.filter(({ isShown }) => isShown);
}
