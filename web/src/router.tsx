// Pages by path. Links are ordinary links, so everything works without this too.
import { type ComponentChildren } from 'preact';
import { useEffect, useState } from 'preact/hooks';

const PAGES = /^\/($|runs\/[^/]+(\/(rounds|peers)\/[^/]+)?$|records\/|peers\/|verify$)/;
const listeners = new Set<() => void>();

export function go(path: string): void {
  if (path !== location.pathname) history.pushState(null, '', path);
  window.scrollTo(0, 0);
  for (const listener of listeners) listener();
  // As after an ordinary load, the keyboard and the screen reader begin at the top.
  document.getElementById('content')?.focus({ preventScroll: true });
}

export function usePath(): string {
  const [path, set] = useState(location.pathname);
  useEffect(() => {
    const changed = (): void => set(location.pathname);
    listeners.add(changed);
    addEventListener('popstate', changed);
    return () => {
      listeners.delete(changed);
      removeEventListener('popstate', changed);
    };
  }, []);
  return path;
}

export function Link(props: { to: string; class?: string; title?: string; label?: string;
                              current?: boolean; children: ComponentChildren }) {
  const click = (event: MouseEvent): void => {
    if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    if (!PAGES.test(props.to)) return;
    event.preventDefault();
    go(props.to);
  };
  return (
    <a href={props.to} class={props.class} title={props.title} aria-label={props.label}
       aria-current={props.current ? 'page' : undefined} onClick={click}>
      {props.children}
    </a>
  );
}
