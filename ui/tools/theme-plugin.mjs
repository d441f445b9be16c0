// Puts the chosen theme on <html> before the first paint. A module script would run after it and the page would flash;
// an inline script is forbidden by our policy. So a tiny classic script becomes a hashed asset of its own.
const source = `try{var t=localStorage.getItem('confab.theme');if(t==='light'||t==='dark')document.documentElement.dataset.theme=t}catch(e){}`;

export function themeScript() {
  let name = '';
  return {
    name: 'confab-theme-script',
    apply: 'build',
    buildStart() {
      name = this.emitFile({ type: 'asset', name: 'theme.js', source });
    },
    transformIndexHtml: {
      order: 'post',
      handler: () => [{ tag: 'script', attrs: { src: '/__THEME__' }, injectTo: 'head-prepend' }],
    },
    generateBundle: {
      order: 'post',
      handler(_, bundle) {
        const html = bundle['index.html'];
        if (html) html.source = String(html.source).replace('__THEME__', this.getFileName(name));
      },
    },
  };
}
