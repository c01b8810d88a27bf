// Draws the live page: the last minute as charts, and the inspections in progress.
"use strict";
(() => {
  const live = document.getElementById("live"), state = document.getElementById("live-state");
  const url = live.dataset.liveUrl, prefix = live.dataset.prefix;
  const askEvery = 500, span = 60000;
  let samples = [], next = 0, shape = null, shift = 0, rows = [], failedSince = null;

  // ---- figures as text
  const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
  function bytes(n) {
    for (const [unit, size] of [["GB", 1e9], ["MB", 1e6], ["kB", 1e3]]) if (n >= size) return `${(n / size).toFixed(n < 10 * size ? 1 : 0)} ${unit}`;
    return `${n} B`;
  }
  function duration(seconds) {
    const s = Math.floor(seconds);
    if (seconds < 1) return `${Math.floor(seconds * 1000)} ms`;
    if (s < 60) return `${seconds < 10 ? Math.floor(seconds * 10) / 10 : s} s`;
    return s < 3600 ? `${Math.floor(s / 60)} min ${s % 60} s` : `${Math.floor(s / 3600)} h ${Math.floor(s / 60) % 60} min`;
  }
  const cores = (n) => n.toFixed(2);
  const short = (component) => component.replace("libra-", "");

  // ---- charts: each has series, a way to read them from the samples, and a scale
  const palette = ["document", "stylesheet", "script", "image", "media", "font", "other"];
  // perSecond sums a count over the second before each sample.
  function perSecond(of) {
    const n = Math.round(1000 / shape.every_ms);
    return samples.map((_, i) => samples.slice(Math.max(0, i - n + 1), i + 1).reduce((sum, s) => sum + of(s), 0));
  }
  // smooth is the mean of the half second before each sample.
  function smooth(of) {
    const n = Math.round(500 / shape.every_ms);
    return samples.map((_, i) => { const part = samples.slice(Math.max(0, i - n + 1), i + 1); return part.reduce((sum, s) => sum + of(s), 0) / part.length; });
  }
  const charts = {
    inspections: { text: whole.format, least: 10, series: () => [["succeeded", "image", perSecond((s) => s.succeeded)], ["failed", "broken", perSecond((s) => s.failed)]] },
    cpu: { text: (n) => `${cores(n)} of ${shape.cores}`, stack: true, least: () => shape.cores, series: () => byComponent((s, i) => s.cpu[i], smooth), value: cores },
    memory: { text: bytes, stack: true, least: 1e8, series: () => byComponent((s, i) => s.memory[i], (of) => samples.map(of)), value: bytes },
    queue: { text: whole.format, least: 10, series: () => [["open", "document", samples.map((s) => s.open_requests)]] },
    age: { text: duration, least: 1, series: () => [["oldest", "script", samples.map((s) => s.oldest_s)]] },
    connections: { text: whole.format, least: 10, series: () => [["connections", "font", samples.map((s) => s.connections)]] },
  };
  function byComponent(of, values) {
    return shape.components.map((name, i) => [short(name), palette[i % palette.length], values((s) => of(s, i))]);
  }

  const svg = (name, attributes) => {
    const e = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [k, v] of Object.entries(attributes)) e.setAttribute(k, v);
    return e;
  };
  // nice is the next 1, 2 or 5 times a power of ten.
  function nice(n) {
    const power = 10 ** Math.floor(Math.log10(n));
    return [1, 2, 5, 10].map((f) => f * power).find((f) => f >= n * 0.999);
  }

  function draw(now) {
    if (!samples.length) return;
    const to = now - shift - askEvery - 1400; // what is newer is not known yet
    const x = (s) => 600 * (1 - (to - s.number * shape.every_ms) / span);
    for (const figure of live.querySelectorAll("[data-chart]")) {
      const chart = charts[figure.dataset.chart], series = chart.series(), graph = figure.querySelector("svg");
      const least = typeof chart.least === "function" ? chart.least() : chart.least;
      const sums = samples.map((_, i) => chart.stack ? series.reduce((sum, [, , v]) => sum + v[i], 0) : Math.max(...series.map(([, , v]) => v[i])));
      const top = Math.max(least, nice(Math.max(...sums, 1e-9)));
      const y = (v) => 118 - 114 * Math.min(1, v / top);
      const base = samples.map(() => 0);
      series.forEach(([name, color, values], k) => {
        const path = graph.children[k] ?? graph.appendChild(svg("path", { "vector-effect": "non-scaling-stroke" }));
        path.setAttribute("class", chart.stack ? `area ${color}` : `line ${color}`);
        const points = values.map((v, i) => `${x(samples[i]).toFixed(1)} ${y((chart.stack ? base[i] : 0) + v).toFixed(1)}`);
        let d = `M${points.join("L")}`;
        if (chart.stack) d += `L${samples.map((s, i) => `${x(s).toFixed(1)} ${y(base[i]).toFixed(1)}`).reverse().join("L")}Z`;
        path.setAttribute("d", d);
        if (chart.stack) values.forEach((v, i) => { base[i] += v; });
      });
      figure.querySelector(".top-value").textContent = `to ${chart.value ? chart.value(top) : chart.text(top)}`;
    }
  }

  // figures writes the newest value of every chart.
  function figures() {
    if (!samples.length) return;
    for (const figure of live.querySelectorAll("[data-chart]")) {
      const chart = charts[figure.dataset.chart], series = chart.series();
      const newest = series.map(([, , v]) => v.at(-1));
      const text = figure.dataset.chart === "inspections" ? `${whole.format(newest[0])} succeeded, ${whole.format(newest[1])} failed` : chart.text(newest.reduce((a, b) => a + b, 0));
      figure.querySelector(".value").textContent = text;
      figure.querySelector("svg").setAttribute("aria-label", `${figure.querySelector("figcaption").firstChild.textContent.trim()}: ${text} now`);
      const legend = figure.querySelector("ul");
      if (series.length === 1) continue;
      series.forEach(([name, color], k) => {
        const item = legend.children[k] ?? legend.appendChild(document.createElement("li"));
        const label = `${name} ${(chart.value ?? chart.text)(newest[k])}`;
        if (item.dataset.label === label) return;
        item.dataset.label = label;
        const swatch = svg("svg", { viewBox: "0 0 10 10", width: "10", height: "10", "aria-hidden": "true" });
        swatch.append(svg("rect", { width: "10", height: "10", class: color }));
        item.replaceChildren(swatch, ` ${label}`);
      });
    }
  }

  // ---- the table
  const body = document.getElementById("rows"), sort = document.getElementById("sort"), table = body.closest("table");
  const descending = new Set(["cpu_ms", "age_s", "held_bytes"]);
  let by = "", down = true;
  function order(key) {
    down = key === by ? !down : descending.has(key);
    by = key;
    sort.value = key;
    table.querySelectorAll("[data-sort]").forEach((b) => {
      const th = b.closest("th");
      if (b.dataset.sort === by) th.setAttribute("aria-sort", down ? "descending" : "ascending"); else th.removeAttribute("aria-sort");
    });
    place(true);
  }
  table.addEventListener("click", (e) => { const b = e.target.closest("[data-sort]"); if (b) order(b.dataset.sort); });
  sort.addEventListener("change", () => { if (sort.value !== by) order(sort.value); });

  const cell = (className, label) => {
    const td = document.createElement("td");
    td.setAttribute("role", "cell");
    td.className = className;
    if (label) td.dataset.label = label;
    return td;
  };
  function newRow(r) {
    const tr = document.createElement("tr");
    tr.setAttribute("role", "row");
    tr.dataset.request = r.request;
    const th = document.createElement("th");
    th.scope = "row";
    th.setAttribute("role", "rowheader");
    const a = document.createElement("a");
    a.href = `${prefix}/live/${encodeURIComponent(r.request)}`;
    a.textContent = r.url.replace(/^https?:\/\//, "");
    th.append(a);
    tr.append(th, cell("client", "Client"), cell("n inspector", "Inspector"), cell("step"), cell("n age", "Age"), cell("n cpu", "CPU"), cell("n held", "Held"));
    return tr;
  }
  function fill(tr, r) {
    const set = (name, text) => { const td = tr.querySelector(`.${name}`); if (td.textContent !== text) td.textContent = text; };
    set("client", r.label || r.client);
    set("inspector", r.alone ? `${r.inspector}, alone` : r.inspector);
    const step = words[r.step] ?? r.step;
    set("step", r.found > 0 ? `${step}, ${r.done} of ${r.found}` : step);
    set("age", duration(r.age_s));
    set("cpu", `${r.cpu_ms} ms`);
    set("held", bytes(r.held_bytes));
    tr.classList.toggle("hot", r.cpu_ms >= 500);
  }
  // place orders the rows. While the pointer moves over them, or a link has the focus, none
  // moves or goes: it would be another one that is clicked.
  let pointed = 0;
  body.addEventListener("pointermove", () => { pointed = performance.now(); });
  const words = { fetching: "fetch the page", discovering: "find its assets", weighing: "fetch the assets", reporting: "report", waiting: "wait" };
  function place(now) {
    const compare = (a, b) => { const x = a[by], y = b[by], c = typeof x === "number" ? x - y : String(x).localeCompare(String(y)); return (down ? -c : c) || b.age_s - a.age_s; };
    const held = !now && (performance.now() - pointed < 2000 || body.contains(document.activeElement));
    const have = new Map([...body.children].map((tr) => [tr.dataset.request, tr]));
    for (const [id, tr] of have) {
      const gone = !rows.some((r) => r.request === id);
      tr.classList.toggle("old", gone);
      if (gone && !held) { tr.remove(); have.delete(id); }
    }
    const sorted = [...rows].sort(compare);
    sorted.forEach((r) => {
      let tr = have.get(r.request);
      if (!tr) { tr = newRow(r); have.set(r.request, tr); body.append(tr); }
      fill(tr, r);
    });
    if (!held) sorted.forEach((r, i) => { const tr = have.get(r.request); if (body.children[i] !== tr) body.insertBefore(tr, body.children[i]); });
    document.getElementById("no-rows").hidden = body.children.length > 0;
    table.hidden = body.children.length === 0;
  }
  // ---- asking
  const say = (text) => { if (state.textContent !== text) state.textContent = text; };
  function stands(text) {
    failedSince ??= new Date();
    say(`${text} since ${failedSince.toLocaleTimeString()}: the charts stand still.`);
  }
  async function read() {
    const cut = new AbortController(), limit = setTimeout(() => cut.abort(), 4000);
    try {
      const answer = await fetch(`${url}?from=${next}`, { signal: cut.signal });
      if (!answer.ok) stands(`Libra answers ${answer.status}`);
      return answer.ok ? await answer.json() : null;
    } catch {
      stands("Libra does not respond");
      return null;
    } finally { clearTimeout(limit); }
  }
  async function ask() {
    const doc = await read();
    if (!doc) return;
    if (shape && doc.since !== shape.since || doc.next < next) samples = []; // it has restarted or rested, or the clock was set
    shape = doc;
    shift = Date.now() - Date.parse(doc.now);
    next = doc.next;
    samples = samples.concat(doc.samples).filter((s) => s.number * doc.every_ms > Date.parse(doc.now) - span - 3000);
    rows = doc.running;
    document.getElementById("running-count").textContent = doc.running_count > rows.length ? `${rows.length} of ${doc.running_count}` : rows.length ? String(rows.length) : "";
    failedSince = null;
    say(samples.length ? "" : "Waiting for the first figures.");
    live.hidden = false;
    figures();
    place(false);
  }
  let asking = false;
  setInterval(async () => { if (asking || document.hidden) return; asking = true; await ask(); asking = false; }, askEvery);
  setInterval(() => { if (!document.hidden && shape && failedSince === null) draw(Date.now()); }, 100);
  order("cpu_ms");
  ask();
})();
