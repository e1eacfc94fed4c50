// Usage limits: consume, check and refund, over windows of days and below.

export { dropWindows, emptyWindows, windowCount } from "./fine_removals.ts";
export { UsageLimits } from "./usage_limits.ts";
