// Operates the lab without loading its page again: dials, buttons, counters.
"use strict";
(() => {
  const lab = document.getElementById("lab"), away = document.getElementById("lab-away"), said = document.getElementById("lab-said");
  if (!lab) return;
  const url = lab.dataset.labUrl, askEvery = 1000, calm = 150;
  const prefix = url.replace(/\/api\/lab$/, "");
  let changing = 0; // how many changes are on their way

  async function call(path, body) {
    const cut = new AbortController(), limit = setTimeout(() => cut.abort(), 20000);
    try {
      const options = body === undefined ? {} : { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
      const answer = await fetch(url + path, { signal: cut.signal, ...options });
      const doc = await answer.json();
      if (!answer.ok) throw new Error(doc.detail);
      return doc;
    } finally { clearTimeout(limit); }
  }
  async function change(path, body) {
    changing++;
    try {
      const doc = await call(path, body);
      said.textContent = "";
      if (doc.kinds) show(doc);
    } catch (e) { said.textContent = e.message; } finally { changing--; }
  }

  // ---- dials: a range and a number that agree
  for (const form of lab.querySelectorAll(".dial")) {
    const range = form.querySelector("[type=range]"), number = form.querySelector("[type=number]");
    const send = () => { delete form.dataset.typed; return change(`/${form.dataset.set}`, { value: Number(number?.value ?? 0) }); };
    form.addEventListener("submit", (e) => { e.preventDefault(); if (range) range.value = number.value; send(); });
    if (!range) continue;
    number.addEventListener("input", () => { form.dataset.typed = "yes"; });
    range.hidden = false;
    let later = 0;
    range.addEventListener("input", () => { number.value = range.value; form.dataset.typed = "yes"; clearTimeout(later); later = setTimeout(send, calm); });
  }
  for (const form of lab.querySelectorAll("[data-set=do]")) {
    form.addEventListener("submit", async (e) => {
      e.preventDefault();
      await change("/do", { action: e.submitter.value, unit: form.elements.unit?.value });
      ask();
    });
  }

  // ---- what is
  const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
  function show(state) {
    for (const e of lab.querySelectorAll("[data-lab]")) {
      const value = e.dataset.lab.split(".").reduce((v, key) => v?.[key], state);
      e.textContent = typeof value === "number" ? whole.format(value) : value ?? "";
    }
    document.getElementById("lab-fault").hidden = !state.fault;
    lab.querySelector(".counts .reads").classList.toggle("bad", state.total.reads_failed > 0);
    for (const [id, value] of [["rate", state.rate], ["inspectors", state.inspectors]]) {
      const range = document.getElementById(id), number = document.getElementById(`${id}-number`);
      if (changing || range.matches(":active") || range.form.dataset.typed) continue; // what is typed stays until it is sent
      range.value = number.value = value;
    }
    const list = document.getElementById("lab-actions");
    const text = JSON.stringify(state.actions);
    if (list.dataset.shown === text) return;
    list.dataset.shown = text;
    list.replaceChildren(...state.actions.map(item));
  }
  function item(a) {
    const li = document.createElement("li"), time = document.createElement("time");
    time.dateTime = a.at;
    time.textContent = new Date(a.at).toLocaleTimeString();
    li.append(time, ` ${a.title}${a.unit ? ` ${a.unit}` : ""}: ${a.text || a.state}`);
    if (a.page) {
      const link = document.createElement("a");
      link.href = `${prefix}/pages/${encodeURIComponent(a.page)}`;
      link.textContent = "its page";
      li.append(" ", link);
    }
    return li;
  }
  async function ask() {
    try { show(await call("")); away.hidden = true; } catch { away.hidden = false; }
  }
  let asking = false;
  setInterval(async () => { if (asking || document.hidden) return; asking = true; await ask(); asking = false; }, askEvery);
  ask();
})();
