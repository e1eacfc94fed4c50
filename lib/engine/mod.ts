// The engine: the operations on the state, one function for each row of the table in `command/`.

export { Database, type DatabaseOptions, openingOf } from "./database.ts";
