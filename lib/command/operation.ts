// The one table of operations: what there is, what it is called in each dialect, what it needs.
//
// Adding one is three edits: a row here, a function in the engine, golden lines. The rows of one
// dialect may share a name and differ in whether a key is given (`sum` of a counter, `find` over a
// tree); everything else that tells operations apart is said by their fields.

/** Whether a field must be there (`yes`), may be there (`may`), or is not looked at (`no`). */
export type Need = "yes" | "may" | "no";

export interface Operation {
  /** Its name inside, and that of the engine's function for it. */
  readonly id: OperationId;
  /** Its place in the table. */
  readonly index: number;
  /** What it does to the state: nothing, a change, or work beside it (files). */
  readonly access: "read" | "write" | "admin";
  readonly key: Need;
  /** A range of days: where one end is given, so must be the other. */
  readonly range: Need;
  /**
   * What the tree's name must be: of an existing tree or any that could exist (`name`),
   * whatever is there to look up (`lookup`), the name of a dump (`file`), or nothing.
   */
  readonly tree: "name" | "lookup" | "file" | "no";
  /** In protocol v1: the command, and how it says that something isn't there. */
  readonly v1: { readonly command: string; readonly missing?: string };
}

export type OperationId = (typeof ROWS)[number]["id"];

const ROWS = [
  { id: "ping", access: "read", tree: "no", key: "no", range: "no", v1: { command: "ping" } },
  { id: "trees", access: "read", tree: "no", key: "no", range: "no", v1: { command: "trees" } },
  {
    id: "create",
    access: "write",
    tree: "name",
    key: "no",
    range: "no",
    v1: { command: "create" },
  },
  {
    id: "drop",
    access: "write",
    tree: "lookup",
    key: "no",
    range: "no",
    v1: { command: "drop", missing: "not exists" },
  },
  {
    id: "increment",
    access: "write",
    tree: "name",
    key: "yes",
    range: "no",
    v1: { command: "increment" },
  },
  {
    id: "decrement",
    access: "write",
    tree: "name",
    key: "yes",
    range: "no",
    v1: { command: "decrement" },
  },
  { id: "sum", access: "read", tree: "name", key: "yes", range: "may", v1: { command: "sum" } },
  { id: "find", access: "read", tree: "name", key: "yes", range: "yes", v1: { command: "find" } },
  { id: "findAll", access: "read", tree: "name", key: "no", range: "yes", v1: { command: "find" } },
  { id: "reset", access: "write", tree: "name", key: "yes", range: "no", v1: { command: "reset" } },
  {
    id: "resetAll",
    access: "write",
    tree: "name",
    key: "no",
    range: "no",
    v1: { command: "reset" },
  },
  {
    id: "delete",
    access: "write",
    tree: "name",
    key: "yes",
    range: "yes",
    v1: { command: "delete" },
  },
  {
    id: "deleteAll",
    access: "write",
    tree: "name",
    key: "no",
    range: "yes",
    v1: { command: "delete" },
  },
  {
    id: "dump",
    access: "admin",
    tree: "lookup",
    key: "no",
    range: "no",
    v1: { command: "dump", missing: "not found" },
  },
  {
    id: "dumpAll",
    access: "admin",
    tree: "no",
    key: "no",
    range: "no",
    v1: { command: "dump_all" },
  },
  { id: "dumps", access: "read", tree: "no", key: "no", range: "no", v1: { command: "dumps" } },
  {
    id: "load",
    access: "admin",
    tree: "file",
    key: "no",
    range: "no",
    v1: { command: "load", missing: "not exists" },
  },
] as const;

export const OPERATIONS: readonly Operation[] = ROWS.map((row, index) => ({ ...row, index }));
