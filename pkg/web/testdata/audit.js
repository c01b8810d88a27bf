// Looks at a page as WCAG 2.2 does, as far as a script can, and lists faults:
// contrast (1.4.3), target size (2.5.8), names (4.1.2), headings (1.3.1), ids,
// content wider than the window (1.4.10), focus rings that are cut (2.4.7, 2.4.13),
// figures that lie upon each other, and ports broken over two lines.
(() => {
  const faults = [];
  const channel = (v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const rgba = (text) => { const n = text.match(/[\d.]+/g).map(Number); return n.length > 3 ? n : [...n, 1]; };
  const luminance = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const behind = (el) => {
    for (; el; el = el.parentElement) {
      const c = rgba(getComputedStyle(el).backgroundColor);
      if (c[3] === 1) return c;
    }
    return [255, 255, 255, 1];
  };
  const visible = (el) => el.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true }) && !el.closest(".hidden, .skip, noscript");
  const words = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = words.nextNode(); node; node = words.nextNode()) {
    const el = node.parentElement;
    if (!node.textContent.trim() || !visible(el)) continue;
    const [a, b] = [luminance(rgba(getComputedStyle(el).color)), luminance(behind(el))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) faults.push(`contrast ${ratio.toFixed(2)}: ${node.textContent.trim().slice(0, 40)}`);
  }
  for (const el of document.querySelectorAll("a[href], button, summary, input:not([type=hidden]), select")) {
    if (!visible(el)) continue;
    const box = el.getBoundingClientRect();
    const inText = el.matches("a") && getComputedStyle(el).display === "inline";
    if (!inText && (box.width < 24 || box.height < 24)) faults.push(`target ${box.width.toFixed()}x${box.height.toFixed()}: ${el.outerHTML.slice(0, 60)}`);
    const name = el.matches("input, select") ? el.labels?.[0]?.textContent : el.textContent;
    if (!name?.trim()) faults.push(`no name: ${el.outerHTML.slice(0, 60)}`);
  }
  let level = 0;
  for (const h of document.querySelectorAll("h1, h2, h3, h4")) {
    const now = Number(h.tagName[1]);
    if (now > level + 1) faults.push(`heading ${h.tagName} after level ${level}: ${h.textContent}`);
    level = now;
  }
  const ids = [...document.querySelectorAll("[id]")].map((el) => el.id);
  for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) faults.push(`id twice: ${id}`);
  for (const el of document.querySelectorAll("[aria-labelledby], [aria-describedby]")) {
    for (const id of (el.getAttribute("aria-labelledby") ?? el.getAttribute("aria-describedby")).split(" ")) {
      if (!ids.includes(id)) faults.push(`names an id that is not there: ${id}`);
    }
  }
  for (const el of document.querySelectorAll("body *")) {
    if (visible(el) && !el.closest(".scroll") && el.getBoundingClientRect().right > innerWidth + 1) faults.push(`too wide: ${el.outerHTML.slice(0, 60)}`);
  }
  for (const el of document.querySelectorAll(".scroll")) {
    if (el.scrollWidth > el.clientWidth) faults.push(`scrolls sideways, ${el.scrollWidth} in ${el.clientWidth}: ${el.innerHTML.trim().slice(0, 60)}`);
  }
  // The ring around what has the focus is whole: nothing that clips is nearer.
  for (const el of document.querySelectorAll("a[href], button, summary, input:not([type=hidden]), select, [tabindex='0']")) {
    if (!visible(el)) continue;
    el.focus({ focusVisible: true, preventScroll: true });
    const style = getComputedStyle(el);
    const reach = style.outlineStyle === "none" ? 0 : parseFloat(style.outlineWidth) + parseFloat(style.outlineOffset);
    if (!el.matches(":focus-visible") || reach <= 0) { faults.push(`no focus ring: ${el.outerHTML.slice(0, 60)}`); continue; }
    for (const box of el.getClientRects()) {
      if (box.left < reach || box.right + reach > document.documentElement.clientWidth) faults.push(`focus ring beyond the window: ${el.outerHTML.slice(0, 60)}`);
      for (let up = el.parentElement; up && up !== document.documentElement; up = up.parentElement) {
        if (getComputedStyle(up).overflowX === "visible" && getComputedStyle(up).overflowY === "visible") continue;
        const clip = up.getBoundingClientRect();
        if (box.left - reach < clip.left || box.right + reach > clip.right || box.top - reach < clip.top || box.bottom + reach > clip.bottom) faults.push(`focus ring clipped: ${el.outerHTML.slice(0, 60)}`);
      }
    }
  }
  document.activeElement?.blur();
  // What is beside or below another does not lie upon it.
  const rects = (el) => { const range = document.createRange(); range.selectNodeContents(el); return [...range.getClientRects()]; };
  for (const row of document.querySelectorAll("tr, .facts, .meta, .history li, .top")) {
    if (getComputedStyle(row.parentElement).clipPath !== "none") continue; // only for screen readers
    const cells = [...row.children].filter(visible).map((el) => [el, rects(el)]);
    cells.forEach(([a, of], i) => cells.slice(i + 1).forEach(([b, others]) => {
      if (of.some((x) => others.some((y) => Math.min(x.right, y.right) - Math.max(x.left, y.left) > 1 && Math.min(x.bottom, y.bottom) - Math.max(x.top, y.top) > 3))) faults.push(`overlap: ${a.textContent.trim().slice(0, 30)} | ${b.textContent.trim().slice(0, 30)}`);
    }));
  }
  // A port stays in one piece.
  const text = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = text.nextNode(); node; node = text.nextNode()) {
    for (const port of node.textContent.matchAll(/:\d{2,5}(?!\d)/g)) {
      if (!visible(node.parentElement)) continue;
      const range = document.createRange();
      range.setStart(node, port.index);
      range.setEnd(node, port.index + port[0].length);
      if (new Set([...range.getClientRects()].map((r) => r.top)).size > 1) faults.push(`broken within ${port[0]}: ${node.textContent.trim().slice(0, 60)}`);
    }
  }
  if (document.documentElement.scrollWidth > document.documentElement.clientWidth) faults.push("the page scrolls sideways");
  return [...new Set(faults)].join("\n");
})()
