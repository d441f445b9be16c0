// Times are Unix seconds. `now` is a parameter, so that tests can stand still.
const day = 86_400;

function startOfDay(now: number): number {
  const date = new Date(now * 1000);
  date.setHours(0, 0, 0, 0);
  return date.getTime() / 1000;
}

// The heading under which a conversation is listed.
export function dayGroup(time: number, now = Date.now() / 1000): string {
  const today = startOfDay(now);
  if (time >= today) return 'Today';
  if (time >= today - day) return 'Yesterday';
  if (time >= today - 7 * day) return 'Previous 7 days';
  if (time >= today - 30 * day) return 'Previous 30 days';
  const then = new Date(time * 1000);
  const sameYear = then.getFullYear() === new Date(now * 1000).getFullYear();
  return then.toLocaleDateString(undefined, sameYear ? { month: 'long' } : { month: 'long', year: 'numeric' });
}

export function dateTime(time: number): string {
  return new Date(time * 1000).toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'short' });
}

export function ago(time: number | null, now = Date.now() / 1000): string {
  if (!time) return 'never';
  const seconds = Math.max(0, now - time);
  if (seconds < 60) return 'just now';
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < day) return `${Math.floor(seconds / 3600)} h ago`;
  if (seconds < 30 * day) return `${Math.floor(seconds / day)} d ago`;
  return new Date(time * 1000).toLocaleDateString();
}

// How long something took: "0.4 s", "12 s", "3 min 5 s".
export function duration(seconds: number): string {
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 99.5) return `${Math.round(seconds)} s`;
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

// A day, as short as the year allows.
export function dayOf(time: number, now = Date.now() / 1000): string {
  const then = new Date(time * 1000);
  const sameYear = then.getFullYear() === new Date(now * 1000).getFullYear();
  return then.toLocaleDateString(undefined, { day: 'numeric', month: 'short', ...(sameYear ? {} : { year: 'numeric' }) });
}
