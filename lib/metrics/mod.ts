// Metrics: what the process counts about itself, and how it is reported.

export { Statistics, type StatsState } from "./statistics.ts";
