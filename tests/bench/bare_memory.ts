// What memory costs by itself: accesses to a bare array, one at a time or as many at once as the
// processor can.

/** Each access needs what the one before read, which is zero. */
export function waitingAccesses(words: Uint32Array, places: Uint32Array): void {
  let carried = 0;
  for (let index = 0; index < places.length; index++) {
    carried = words[places[index] + carried]++ >>> 31;
  }
}

export function freeAccesses(words: Uint32Array, places: Uint32Array): void {
  for (let index = 0; index < places.length; index++) words[places[index]]++;
}
