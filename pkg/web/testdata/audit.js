// Looks at a page as WCAG 2.2 does, as far as a script can, and lists faults:
// contrast (1.4.3), target size (2.5.8), names (4.1.2), headings (1.3.1), ids,
// and content wider than the window (1.4.10).
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
  return [...new Set(faults)].join("\n");
})()
