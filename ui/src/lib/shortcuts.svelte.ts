// Keys that work anywhere on the chat page, and the list of them for the dialog.
class Shortcuts {
  open = $state(false);
  search = $state(false);
}

export const shortcuts = new Shortcuts();

const mac = /Mac|iPhone|iPad/.test(navigator.userAgent);
export const modifier = mac ? '⌘' : 'Ctrl';

export const shortcutList: { keys: string[]; what: string }[] = [
  { keys: ['Enter'], what: 'Send the message' },
  { keys: ['Shift', 'Enter'], what: 'New line' },
  { keys: ['Esc'], what: 'Stop the answer' },
  { keys: ['←', '→'], what: 'Other versions, while their buttons have the focus' },
  { keys: [modifier, 'Shift', 'O'], what: 'New chat' },
  { keys: [modifier, 'Shift', 'T'], what: 'Temporary chat' },
  { keys: [modifier, 'K'], what: 'Search' },
  { keys: [modifier, 'B'], what: 'Show or hide the sidebar' },
  { keys: ['/'], what: 'Go to the message field' },
  { keys: ['?'], what: 'This list' },
];

// Is the key meant for a field that is being typed in?
export function typing(event: KeyboardEvent): boolean {
  const target = event.target;
  return target instanceof HTMLInputElement || target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement;
}
