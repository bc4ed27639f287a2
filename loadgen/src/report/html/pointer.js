"use strict";
// Shows the values of the moment under the pointer, in all charts over time at once.
(() => {
  const data = JSON.parse(document.getElementById("columns").textContent);
  const charts = [...document.querySelectorAll("svg.over-time")];
  const tip = document.createElement("div");
  tip.className = "tip";
  tip.hidden = true;
  document.body.append(tip);
  const digits = (value, most) => value.toLocaleString("en", { maximumFractionDigits: most });
  const ms = (value) => `${digits(value, value < 10 ? 2 : value < 100 ? 1 : 0)} ms`;
  const row = (name, value) => {
    const line = document.createElement("div");
    for (const text of [name, value]) {
      const cell = document.createElement("span");
      cell.textContent = text;
      line.append(cell);
    }
    return line;
  };
  const rows = ([start, end, [good, bad, unsent], latency, backends]) => {
    const rate = (count) => `${digits(count / (end - start) * 1000, 1)}/s`;
    const lines = [row("Time", `${digits(start / 1000, 2)} s`), row("Successful", rate(good))];
    if (bad) lines.push(row("Failed", rate(bad)));
    if (unsent) lines.push(row("Unsent", rate(unsent)));
    if (latency) ["p50", "p90", "p99", "max"].forEach((name, index) => lines.push(row(name, ms(latency[index]))));
    const all = backends.reduce((sum, count) => sum + count, 0);
    if (all) {
      data.names.forEach((name, index) => lines.push(row(name, `${digits((backends[index] || 0) / all * 100, 1)} %`)));
    }
    return lines;
  };
  const hide = () => {
    tip.hidden = true;
    charts.forEach((chart) => chart.classList.remove("pointed"));
  };
  const show = (event) => {
    const chart = event.currentTarget;
    const box = chart.getBoundingClientRect();
    const unit = chart.viewBox.baseVal.width / box.width;
    const { left, right, end } = chart.dataset;
    const at = ((event.clientX - box.left) * unit - left) / (right - left) * end;
    const column = data.columns.find(([, until]) => at < until);
    if (at < 0 || !column) return hide();
    for (const other of charts) {
      const { left, right, end } = other.dataset;
      const x = Number(left) + (column[0] + column[1]) / 2 / end * (right - left);
      const line = other.querySelector(".pointer");
      line.setAttribute("x1", x);
      line.setAttribute("x2", x);
      other.classList.add("pointed");
    }
    tip.replaceChildren(...rows(column));
    tip.hidden = false;
    const fits = event.clientX + 16 + tip.offsetWidth < document.documentElement.clientWidth;
    tip.style.left = `${Math.max(4, fits ? event.clientX + 16 : event.clientX - 16 - tip.offsetWidth)}px`;
    tip.style.top = `${Math.min(event.clientY + 12, window.innerHeight - tip.offsetHeight - 4)}px`;
  };
  for (const chart of charts) {
    chart.addEventListener("pointermove", show);
    chart.addEventListener("pointerleave", hide);
  }
})();
