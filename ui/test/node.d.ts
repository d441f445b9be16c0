// What the tests use of Node. The whole of @types/node would give the page's own code Node's globals.
declare module 'node:test' {
  export function test(name: string, body: () => void | Promise<void>): void;
}

declare module 'node:assert/strict' {
  const assert: {
    equal(actual: unknown, expected: unknown, message?: string): void;
    deepEqual(actual: unknown, expected: unknown, message?: string): void;
    ok(value: unknown, message?: string): void;
  };
  export default assert;
}

declare const process: {
  env: Record<string, string | undefined>;
  cpuUsage(before?: { user: number; system: number }): { user: number; system: number }; // microseconds
};
