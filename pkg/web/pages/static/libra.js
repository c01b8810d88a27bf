// Without this file every page works; with it, pages follow what happens.
"use strict";
(() => {
  const source = document.body.dataset.listen;
  if (!source || !window.EventSource) return;
  const page = new URL(source, location).searchParams.get("page");
  const said = document.getElementById("said");
  const say = (text) => { if (said.textContent !== text) said.textContent = text; };

  // look fetches this page again and puts in place what has changed.
  let due = 0, looking = false;
  async function look() {
    due = 0;
    if (looking) return later(500);
    looking = true;
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
      if (!answer.ok) return;
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const old of document.querySelectorAll("[data-live]")) {
        const now = fresh.querySelector(`[data-live="${old.dataset.live}"]`);
        if (!now) continue;
        const open = old.querySelectorAll("details");
        now.querySelectorAll("details").forEach((d, i) => { d.open = open[i]?.open; });
        if (now.innerHTML === old.innerHTML) continue;
        // Whoever is in the middle of something there is not disturbed.
        if (old.contains(document.activeElement) && !old.querySelector("[data-waiting]")) continue;
        if (old.querySelector("details[open] form")) continue;
        old.replaceChildren(...now.childNodes);
      }
    } catch { /* the next event, or the browser's own retry, tries again */ } finally { looking = false; }
  }
  function later(ms) { if (!due) due = setTimeout(look, ms); }

  function step(s) {
    if (s.page !== page) return later(1000);
    const bar = document.getElementById("bar");
    if (!bar) return later(0);
    const order = [...document.querySelectorAll("[data-step]")];
    const at = order.findIndex((li) => li.dataset.step === s.step);
    order.forEach((li, i) => {
      li.classList.toggle("done", i < at);
      if (i === at) li.setAttribute("aria-current", "step"); else li.removeAttribute("aria-current");
    });
    document.getElementById("progress").textContent = "Being weighed";
    if (s.found > 0) { bar.max = s.found; bar.value = s.done; }
    document.getElementById("done").textContent = s.found > 0 ? `${s.done} of ${s.found} asset${s.found === 1 ? "" : "s"}` : "asking for the page";
    say(`Being weighed: ${s.step}`);
  }

  function reported(r) {
    if (page) {
      if (!document.querySelector("[data-waiting]") && document.body.dataset.shown === r.request) return;
      document.body.dataset.shown = r.request;
      say("The report is there.");
    }
    later(page ? 0 : 500);
  }
  function alarm(a) {
    say(`${a.state === "raised" ? `Alarm, ${a.severity}` : "Cleared"}: ${a.summary}`);
    later(200);
  }

  let events, lost = false;
  function listen() {
    events = new EventSource(source);
    events.onerror = () => { lost = true; };
    events.onopen = () => { if (lost) later(0); lost = false; };
    events.addEventListener("step", (e) => step(JSON.parse(e.data)));
    events.addEventListener("request", () => later(page ? 0 : 500));
    events.addEventListener("report", (e) => reported(JSON.parse(e.data)));
    events.addEventListener("alarm", (e) => alarm(JSON.parse(e.data).alarm));
    events.addEventListener("note", () => later(200));
    events.addEventListener("watch", () => later(200));
  }
  listen();
  // A page that the browser keeps for "back" would keep one of its few
  // connections too.
  addEventListener("pagehide", () => events.close());
  addEventListener("pageshow", (e) => { if (e.persisted) { listen(); later(0); } });
  if (location.pathname === "/status") setInterval(look, 2000);
  if (location.pathname.startsWith("/alarms")) setInterval(look, 30000); // how long ago things were
})();
