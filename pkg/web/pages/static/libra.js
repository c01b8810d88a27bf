// Every page works without this file. With it, times are in the reader's own
// zone, and pages update themselves.
"use strict";
(() => {
  const local = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
  // localize writes the times of a document in the reader's zone: the text, or
  // the title where the text is an age.
  function localize(root) {
    for (const t of root.querySelectorAll("time[datetime]")) {
      const at = new Date(t.dateTime);
      if (isNaN(at)) continue;
      if (t.title) t.title = local.format(at); else t.textContent = local.format(at);
    }
  }
  localize(document);

  // A silence begins at a time of the reader's zone: it is sent in UTC.
  for (const input of document.querySelectorAll("input[type=datetime-local]")) {
    const pad = (n) => String(n).padStart(2, "0");
    if (input.value) {
      const at = new Date(`${input.value}Z`);
      input.value = `${at.getFullYear()}-${pad(at.getMonth() + 1)}-${pad(at.getDate())}T${pad(at.getHours())}:${pad(at.getMinutes())}`;
    }
    const zone = input.closest("label")?.querySelector("[data-zone]");
    if (zone) zone.textContent = "your time";
    input.form.addEventListener("formdata", (e) => {
      if (input.value) e.formData.set(input.name, new Date(input.value).toISOString());
    });
  }

  // Commands can be copied, also where a page of plain HTTP has no clipboard API.
  const said = document.getElementById("said");
  const say = (text) => { if (said.textContent !== text) said.textContent = text; };
  function copy(code) {
    const chosen = getSelection();
    chosen.selectAllChildren(code);
    const copied = document.execCommand("copy");
    chosen.removeAllRanges();
    return copied;
  }
  for (const code of document.querySelectorAll("pre > code, code.command")) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy";
    const block = code.closest("pre"), label = new Text("Copy"), what = document.createElement("span");
    what.className = "hidden";
    what.textContent = block ? " these commands" : ` ${code.textContent}`;
    button.append(label, what);
    button.addEventListener("click", () => {
      label.data = copy(code) ? "Copied" : "Not copied";
      say(label.data);
      setTimeout(() => { label.data = "Copy"; say(""); }, 2000);
    });
    if (!block) { code.after(button); continue; }
    const frame = document.createElement("div");
    frame.className = "block";
    block.replaceWith(frame);
    frame.append(block, button);
  }

  const source = document.body.dataset.listen, poll = Number(document.body.dataset.poll);
  if (!poll) return;
  const page = source ? new URL(source, location).searchParams.get("page") : null;

  // What is shown was true at "shown". A page that cannot be fetched again says so,
  // or it would go on calling healthy what it once was.
  const notice = document.getElementById("outdated");
  let shown = new Date();
  function outdated(why) {
    if (notice.hidden) {
      const t = notice.querySelector("time");
      t.dateTime = shown.toISOString();
      t.textContent = local.format(shown);
      notice.hidden = false;
    }
    notice.querySelector("span").textContent = why;
    say(notice.textContent);
    later(2000);
  }
  function current(asked) {
    shown = asked;
    if (!notice.hidden) { notice.hidden = true; say(""); }
  }

  // twin finds in a fresh region what has the focus in the old one: the same link, or
  // a button of the same name and form.
  function twin(focused, old, now) {
    const all = (root) => [...root.querySelectorAll("a, button, summary, [tabindex]")];
    const what = (e) => [e.tagName, e.getAttribute("href") ?? e.textContent, e.form?.getAttribute("action")].join(" ");
    const same = (e) => what(e) === what(focused);
    const like = all(now).filter(same);
    return like[all(old).filter(same).indexOf(focused)];
  }

  // ask fetches this page again. Its text may take long on a slow line; a read waits
  // for 4 s at most.
  async function ask() {
    const cut = new AbortController();
    let limit = setTimeout(() => cut.abort(), 5000);
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" }, signal: cut.signal });
      clearTimeout(limit);
      limit = setTimeout(() => cut.abort(), 60000);
      return { status: answer.status, ok: answer.ok, moved: answer.redirected, url: answer.url, text: await answer.text() };
    } finally { clearTimeout(limit); }
  }

  // replace puts what has changed into this page, and says whether that was all.
  function replace(fresh) {
    let all = true;
    for (const old of document.querySelectorAll("[data-live]")) {
      const now = fresh.querySelector(`[data-live="${old.dataset.live}"]`);
      if (!now) continue;
      const open = old.querySelectorAll("details");
      now.querySelectorAll("details").forEach((d, i) => { d.open = open[i]?.open; });
      if (now.innerHTML === old.innerHTML) continue;
      const active = document.activeElement;
      const focused = old !== active && old.contains(active) ? active : null;
      const next = focused && twin(focused, old, now);
      // What is being filled in stays as it is; what only has the focus keeps it.
      if (old.querySelector("details[open] form") || focused && !next && !old.querySelector("[data-waiting]")) { all = false; continue; }
      old.replaceChildren(...now.childNodes);
      next?.focus({ preventScroll: true });
    }
    return all;
  }

  // look shows what this page says now. There is one timer for the next look.
  let timer = 0, at = 0, looking = false;
  function later(ms) {
    const when = performance.now() + ms;
    if (timer && at <= when) return;
    clearTimeout(timer);
    at = when;
    timer = setTimeout(look, ms);
  }
  async function look() {
    clearTimeout(timer);
    timer = 0;
    if (document.hidden) return;
    if (looking) return later(500);
    looking = true;
    const asked = new Date();
    let answer = null;
    try { answer = await ask(); } catch { /* said below */ } finally { looking = false; }
    if (!answer) return outdated("Libra does not respond");
    if (answer.moved) return location.replace(answer.url); // what was shown has become another page
    if (!answer.ok) return outdated(`Libra answers ${answer.status} for this page`);
    const fresh = new DOMParser().parseFromString(answer.text, "text/html");
    if (!fresh.body.dataset.poll) return outdated("another page is answered in its place");
    localize(fresh);
    current(replace(fresh) ? asked : shown);
  }

  function step(s) {
    if (s.page !== page) return later(1000);
    if (s.request === document.body.dataset.shown) return; // it has come behind its report
    const bar = document.getElementById("bar");
    if (!bar) return later(0);
    const order = [...document.querySelectorAll("[data-step]")];
    const at = order.findIndex((li) => li.dataset.step === s.step);
    order.forEach((li, i) => {
      li.classList.toggle("done", i < at);
      if (i === at) li.setAttribute("aria-current", "step"); else li.removeAttribute("aria-current");
    });
    const waits = s.step === "waiting";
    document.getElementById("progress").textContent = waits ? "Waiting to be inspected" : "Inspecting";
    if (s.found > 0) { bar.max = s.found; bar.value = s.done; }
    document.getElementById("done").textContent = waits ? `it answers; ${s.why}` : s.found > 0 ? `${s.done} of ${s.found} asset${s.found === 1 ? "" : "s"}` : "fetching the page";
    say(waits ? `Waiting: ${s.why}` : `Inspecting: ${order[at]?.textContent ?? s.step}`);
  }

  function reported(r) {
    if (page) {
      if (!document.querySelector("[data-waiting]") && document.body.dataset.shown === r.request) return;
      document.body.dataset.shown = r.request;
      say("The report is ready.");
    }
    later(page ? 0 : 500);
  }
  function alarm(a) {
    say(`${a.state === "raised" ? `Alarm, ${a.severity}` : "Cleared"}: ${a.summary}`);
    later(200);
  }

  function noted(n) {
    if (n.kind === "written") say(`Note by ${n.by}: ${n.text}`);
    later(200);
  }

  let events, lost = false;
  function listen() {
    if (!source || !window.EventSource || document.hidden) return;
    events?.close();
    events = new EventSource(source);
    events.onerror = () => {
      lost = true;
      later(500);
      // After an answer that is no stream the browser does not try again by itself.
      if (events.readyState === EventSource.CLOSED) setTimeout(() => { if (events.readyState === EventSource.CLOSED) listen(); }, 5000);
    };
    events.onopen = () => { if (lost) later(0); lost = false; };
    events.addEventListener("step", (e) => step(JSON.parse(e.data)));
    events.addEventListener("request", () => later(page ? 0 : 500));
    events.addEventListener("report", (e) => reported(JSON.parse(e.data)));
    events.addEventListener("alarm", (e) => alarm(JSON.parse(e.data).alarm));
    events.addEventListener("note", (e) => noted(JSON.parse(e.data)));
    events.addEventListener("watch", () => later(200));
    events.addEventListener("status", () => later(0));
  }
  listen();
  // A page that nobody sees, or that the browser keeps for "back", would keep one of
  // the six connections that a browser has for all pages of a host.
  function wake() { listen(); later(0); }
  document.addEventListener("visibilitychange", () => { if (document.hidden) events?.close(); else wake(); });
  addEventListener("pagehide", () => events?.close());
  addEventListener("pageshow", (e) => { if (e.persisted) wake(); });
  setInterval(look, poll);
})();
