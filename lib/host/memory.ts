// The memory of this process, as the system sees it.

/** Bytes that are resident. */
export function memoryBytes(): number {
  return Deno.memoryUsage().rss;
}
