/**
 * Which tasks are done with, from two facts: task ids of a kind ("u000012-000003": kind "u") sort like
 * the order of use, and they are begun and finished in that order. Two ids per kind, however long the
 * run; nothing to be stored with a checkpoint.
 */
export interface DoneTasks {
  /** A task is asked for; true when it is the first of its kind, which settles all before it. */
  begin(taskId: string): boolean;
  /** A task's rollout is committed. */
  finish(taskId: string): void;
  has(taskId: string): boolean;
}

/** Nothing is done before the first `begin`. */
export function createDoneTasks(): DoneTasks {
  /** Kind → the first task that was asked for: all before it are done. */
  const firstOf = new Map<string, string>();
  /** Kind → the last finished task: all up to it are done. */
  const lastOf = new Map<string, string>();
  return {
    begin(taskId) {
      const kind = kindOf(taskId);
      if (firstOf.has(kind)) return false;
      firstOf.set(kind, taskId);
      return true;
    },
    finish(taskId) {
      const kind = kindOf(taskId);
      if (taskId > (lastOf.get(kind) ?? "")) lastOf.set(kind, taskId);
    },
    has(taskId) {
      const kind = kindOf(taskId);
      return taskId < (firstOf.get(kind) ?? "") || taskId <= (lastOf.get(kind) ?? "");
    },
  };
}

function kindOf(taskId: string): string {
  return /^\D*/.exec(taskId)![0];
}
