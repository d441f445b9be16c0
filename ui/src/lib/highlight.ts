// Colours for code. The grammar chunk is large, so it is fetched when the first code block needs it; until then, and when it
// cannot be fetched, code is plain.
import type { Element, Root, Text } from 'hast';

// Colouring is linear but not cheap: longer code stays plain.
const maxLength = 40_000;

let module: Promise<typeof import('./grammars')> | null = null;

export async function colour(code: string, language: string): Promise<DocumentFragment | null> {
  if (code.length > maxLength) return null;
  try {
    module ??= import('./grammars');
    const { lowlight } = await module;
    await idle();
    const name = language.toLowerCase();
    if (!lowlight.registered(name)) return null;
    return render(lowlight.highlight(name, code));
  } catch {
    module = null;
    return null;
  }
}

function idle(): Promise<void> {
  return new Promise((resolve) => {
    if ('requestIdleCallback' in window) requestIdleCallback(() => resolve(), { timeout: 300 });
    else setTimeout(resolve, 30);
  });
}

function render(root: Root): DocumentFragment {
  const fragment = document.createDocumentFragment();
  append(fragment, root.children as (Element | Text)[]);
  return fragment;
}

function append(parent: Node, children: readonly (Element | Text)[]): void {
  for (const child of children) {
    if (child.type === 'text') parent.appendChild(document.createTextNode(child.value));
    else if (child.type === 'element') {
      const span = document.createElement('span');
      const names = child.properties.className;
      if (Array.isArray(names)) span.className = names.join(' ');
      append(span, child.children as (Element | Text)[]);
      parent.appendChild(span);
    }
  }
}
