// Usage limits: consume, check and refund, over windows of days.

export { Limiter } from "./limiter.ts";
export { Receipts } from "./receipts.ts";
export { WindowCaches } from "./window_caches.ts";
