// Trees: the data structure that holds the counters, and the forest of all trees of a process.
//
// Pure data: no files, no clock, no wire format, nothing asynchronous.

export { Branch } from "./branch.ts";
export { Cells } from "./cells.ts";
export { Columns } from "./columns.ts";
export { DayRange } from "./day_range.ts";
export { DayWalk, STEP_CELLS } from "./day_walk.ts";
export { Forest } from "./forest.ts";
export { HollowForest, HollowTree } from "./hollow.ts";
export { besidesOf } from "./beside_trees.ts";
export { copyNamed, NamedTree, partsOf } from "./named_tree.ts";
export { Names } from "./names.ts";
export { LONG, LONG_CELLS_MIN, SLIM, WIDE, widthFor } from "./run.ts";
export { fits, type Refusal, sumDays, Tree, treeBytes } from "./tree.ts";
export {
  besideName,
  besideOf,
  HIDDEN,
  isHidden,
  isKeyName,
  namedTreeName,
  ownerSerialOf,
  TREE_NAME_RULE,
  treeName,
} from "./tree_name.ts";
export { Walk } from "./walk.ts";
