import type { Criterion, RankingGiven } from "../../../src/http/api/index.js";

/** What is ranked: the order as a whole, then each criterion. */
export interface RankRow {
  /** `overall` or the criterion's id. */
  id: string;
  name: string;
  question: string;
  isRequired: boolean;
}

/** 1 is best; equal numbers are a tie; null = not ranked yet. */
export type Rank = number | null;

/** All that the Rank page shows of one person's work on one comparison. */
export interface RankState {
  readonly rows: readonly RankRow[];
  readonly numAnswers: number;
  /** The row that is being ranked. */
  readonly row: number;
  /** The answer that digits rank. */
  readonly focus: number;
  /** One list a row, one rank an answer in the order shown. */
  readonly ranks: readonly (readonly Rank[])[];
  /** States that `undo` goes back to, the oldest first. */
  readonly past: readonly Moment[];
}

type Moment = Pick<RankState, "row" | "focus" | "ranks">;

/** What a person can do; `answer` defaults to the one in focus. */
export type RankAction =
  | { type: "rank"; rank: number; answer?: number }
  | { type: "clear"; answer?: number }
  | { type: "clear-row" }
  | { type: "focus"; answer: number }
  | { type: "step"; by: number }
  | { type: "row"; row: number }
  /** Dropped on the others of a place: a tie with them. */
  | { type: "drop-on"; answer: number; rank: number }
  /** Dropped before the place of this index among those taken; after the last with their number. */
  | { type: "drop-before"; answer: number; place: number }
  | { type: "undo" };

/** The order as a whole: always asked, always first. */
export const OVERALL: RankRow = {
  id: "overall",
  name: "Overall",
  question: "Which answer is best?",
  isRequired: true,
};

/** A fresh comparison, or one with ranks that were given before. */
export function startRanking(
  numAnswers: number,
  criteria: readonly Criterion[],
  previous: RankingGiven | null = null,
): RankState {
  const rows = [
    OVERALL,
    ...criteria.map(({ id, name, question, ask }) => ({
      ...{ id, name, question },
      isRequired: ask === "required",
    })),
  ];
  const ranks = rows.map(({ id }) => {
    const given = id === OVERALL.id ? previous?.ranks : previous?.criteria[id];
    return given?.length === numAnswers ? [...given] : Array<Rank>(numAnswers).fill(null);
  });
  return { rows, numAnswers, row: 0, focus: 0, ranks, past: [] };
}

/** The state after an action; the same object if the action changes nothing. */
export function reduceRanking(state: RankState, action: RankAction): RankState {
  switch (action.type) {
    case "rank":
      return setRank(state, action.answer ?? state.focus, action.rank);
    case "clear":
      return clearRank(state, action.answer ?? state.focus);
    case "clear-row":
      return change(state, state.focus, () => null);
    case "focus":
      return focusOn(state, isAnswer(state, action.answer) ? action.answer : state.focus);
    case "step":
      return focusOn(state, clamp(state.focus + action.by, 0, state.numAnswers - 1));
    case "row":
      return state.rows[action.row] ? goToRow(state, action.row) : state;
    case "drop-on":
      return dropOn(state, action.answer, action.rank);
    case "drop-before":
      return dropBefore(state, action.answer, action.place);
    case "undo":
      return undo(state);
  }
}

/** Answers that share a rank, in the order shown. */
export interface Place {
  rank: number;
  answers: number[];
}

/** The places taken in a row, best first. */
export function placesOf(ranks: readonly Rank[]): Place[] {
  const taken = [...new Set(ranks.filter((rank) => rank !== null))].sort((a, b) => a - b);
  return taken.map((rank) => ({ rank, answers: indicesOf(ranks, rank) }));
}

/** The answers of a row that have no rank yet. */
export function unrankedOf(ranks: readonly Rank[]): number[] {
  return indicesOf(ranks, null);
}

/** The row that is on the screen. */
export function currentRanks(state: RankState): readonly Rank[] {
  return state.ranks[state.row]!;
}

function indicesOf(ranks: readonly Rank[], wanted: Rank): number[] {
  return ranks.flatMap((rank, i) => (rank === wanted ? [i] : []));
}

function setRank(state: RankState, answer: number, rank: number): RankState {
  const isRank = Number.isInteger(rank) && rank >= 1 && rank <= state.numAnswers;
  if (!isRank || !isAnswer(state, answer)) return state;
  const ranked = currentRanks(state).map((old, i) => (i === answer ? rank : old));
  return change(state, nextUnranked(ranked, answer), (_old, i) => ranked[i]!);
}

function clearRank(state: RankState, answer: number): RankState {
  if (!isAnswer(state, answer)) return state;
  return change(state, answer, (old, i) => (i === answer ? null : old));
}

function dropOn(state: RankState, answer: number, rank: number): RankState {
  const places = placesWithout(state, answer);
  const target = places.find((place) => place.rank === rank);
  if (!target || !isAnswer(state, answer)) return state;
  target.answers.push(answer);
  return renumber(state, answer, places);
}

function dropBefore(state: RankState, answer: number, place: number): RankState {
  const places = placesOf(currentRanks(state));
  if (!isAnswer(state, answer) || !(place >= 0 && place <= places.length)) return state;
  const left = places.map((taken) => taken.answers.filter((other) => other !== answer));
  left.splice(place, 0, [answer]);
  return renumber(
    state,
    answer,
    left.filter((answers) => answers.length > 0).map((answers, i) => ({ rank: i + 1, answers })),
  );
}

function placesWithout(state: RankState, answer: number): Place[] {
  return placesOf(currentRanks(state).map((rank, i) => (i === answer ? null : rank)));
}

/** After a drop ranks are 1, 2, 3, … without gaps, so that there is always room between two. */
function renumber(state: RankState, answer: number, places: readonly Place[]): RankState {
  const rankOf = (i: number) => {
    const place = places.findIndex(({ answers }) => answers.includes(i));
    return place < 0 ? null : place + 1;
  };
  return change(state, answer, (_old, i) => rankOf(i));
}

/** Changes the current row's ranks, if that changes anything, and remembers how it was. */
function change(
  state: RankState,
  focus: number,
  rankOf: (old: Rank, answer: number) => Rank,
): RankState {
  const old = currentRanks(state);
  const now = old.map(rankOf);
  if (now.every((rank, i) => rank === old[i])) return focusOn(state, focus);
  const ranks = state.ranks.map((row, i) => (i === state.row ? now : row));
  const moment = { row: state.row, focus: state.focus, ranks: state.ranks };
  return { ...state, focus, ranks, past: [...state.past, moment] };
}

function undo(state: RankState): RankState {
  const moment = state.past.at(-1);
  return moment ? { ...state, ...moment, past: state.past.slice(0, -1) } : state;
}

function focusOn(state: RankState, focus: number): RankState {
  return focus === state.focus ? state : { ...state, focus };
}

function goToRow(state: RankState, row: number): RankState {
  const [first] = unrankedOf(state.ranks[row]!);
  return { ...state, row, focus: first ?? 0 };
}

/** The next answer after `from` without a rank, from the top again if need be; else `from` itself. */
function nextUnranked(ranks: readonly Rank[], from: number): number {
  const open = unrankedOf(ranks);
  return open.find((i) => i > from) ?? open[0] ?? from;
}

function isAnswer({ numAnswers }: RankState, answer: number): boolean {
  return Number.isInteger(answer) && answer >= 0 && answer < numAnswers;
}

function clamp(value: number, min: number, max: number): number {
  return Math.min(max, Math.max(min, value));
}
