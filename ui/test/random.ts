// Numbers from 0 to below 1 that follow from `state` alone.
export function random(state: number): () => number {
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}
