"use strict";
// Sorting and filtering of the cells, and the curves of the one that was clicked. Without it the page is complete.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const table = document.getElementById("table");
  const body = table.tBodies[0];
  const rows = Array.from(body.rows);
  const plot = document.getElementById("plot");
  const kind = document.getElementById("kind");
  const DASHES = ["7 4", "", "9 3 2 3", "2 3", "12 3", "4 2", "1 2", "6 6"];
  const BOX = { left: 58, top: 12, right: 708, bottom: 278 };
  let chosen = null; // position of the cell whose curves are shown
  let at = null; // position of the epoch that is read

  for (const part of document.querySelectorAll(".scripted")) part.hidden = part.id === "viewer";

  const shape = (name, attributes, parent, text) => {
    const made = document.createElementNS(plot.namespaceURI, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text !== undefined) made.textContent = text;
    parent.append(made);
    return made;
  };

  // ------------------------------------------------------------ sort, filter

  const valueOf = (row, column) => {
    const cell = row.cells[column];
    if (cell.dataset.value === undefined) return cell.textContent.trim();
    return cell.dataset.value === "" ? NaN : Number(cell.dataset.value);
  };
  const compare = (a, b) => {
    if (typeof a === "string") return a.localeCompare(b, "en", { numeric: true });
    return Number.isNaN(a) ? (Number.isNaN(b) ? 0 : 1) : Number.isNaN(b) ? -1 : a - b;
  };
  const headers = Array.from(table.tHead.rows[0].cells);
  headers.forEach((header, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = header.textContent;
    header.replaceChildren(button);
    header.setAttribute("aria-sort", "none");
    button.addEventListener("click", () => {
      const rising = header.getAttribute("aria-sort") !== "ascending";
      for (const other of headers) other.setAttribute("aria-sort", "none");
      header.setAttribute("aria-sort", rising ? "ascending" : "descending");
      const keyed = rows.map((row, i) => [valueOf(row, column), i, row]);
      keyed.sort((a, b) => {
        const unknown = Number.isNaN(a[0]) || Number.isNaN(b[0]); // what is not there stays at the end
        return (rising || unknown ? 1 : -1) * compare(a[0], b[0]) || a[1] - b[1];
      });
      body.append(...keyed.map((entry) => entry[2]));
    });
  });

  const filter = document.getElementById("filter");
  const texts = rows.map((row) => Array.from(row.cells, (cell) => cell.textContent.trim()).join(" ").toLowerCase());
  const sift = () => {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    rows.forEach((row, i) => {
      row.hidden = !words.every((word) => texts[i].includes(word));
      count += !row.hidden;
    });
    document.getElementById("shown").textContent = `${count} of ${rows.length} cells`;
  };
  filter.addEventListener("input", sift);
  sift();

  // ------------------------------------------------------------ cards on a phone, as of the smaller tables

  const ROLES = { TABLE: "table", THEAD: "rowgroup", TBODY: "rowgroup", TR: "row", TD: "cell" };
  for (const part of [table, ...table.querySelectorAll("*")]) if (ROLES[part.tagName]) part.setAttribute("role", ROLES[part.tagName]);
  for (const header of table.querySelectorAll("th")) header.setAttribute("role", header.scope === "row" ? "rowheader" : "columnheader");
  const names = headers.map((header) => header.textContent);
  for (const row of rows) {
    const labels = Array.from(row.cells).findIndex((cell) => cell.tagName === "TH");
    Array.from(row.cells).forEach((cell, column) => {
      if (column < labels) cell.classList.add("label");
      else cell.dataset.label = names[column];
    });
  }
  table.classList.add("cards");
  document.getElementById("hint").remove();

  // ------------------------------------------------------------ curves

  data.kinds.forEach((one, i) => kind.append(new Option(`${one.label} (${one.unit})`, i)));

  const number = (value) => (Math.abs(value) < 0.01 && value !== 0 ? value.toExponential(1) : String(Number(value.toPrecision(4))));
  const cells = () => data.cells.filter((cell) => cell.group === data.cells[chosen].group);
  const colour = (cell) => data.colours[cell.position % data.colours.length];

  const ticks = (low, high) => {
    const rough = (high - low) / 5;
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= rough);
    const found = [];
    for (let i = Math.ceil(low / step - 1e-9); i * step <= high * (1 + 1e-9); i += 1) found.push(i * step);
    return found;
  };

  const scales = () => {
    const known = cells().flatMap((cell) => cell.values[kind.value].flat()).filter((value) => value !== null);
    const share = data.kinds[kind.value].unit === "%";
    let low = known.length ? Math.min(...known) : 0;
    let high = known.length ? Math.max(...known) : 1;
    if (share) [low, high] = [Math.max(0, low - 1), Math.min(100, high + 1)];
    else low = 0;
    if (high <= low) high = low + 1;
    const first = data.epochs[0];
    const last = data.epochs[data.epochs.length - 1];
    const x = (epoch) => BOX.left + ((BOX.right - BOX.left) * (epoch - first + 0.5)) / (last - first + 1);
    const y = (value) => BOX.bottom - ((BOX.bottom - BOX.top) * (value - low)) / (high - low);
    return { x, y, low, high, first, last };
  };

  const path = (points) => points.map(([x, y], i) => `${i ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");

  const draw = () => {
    plot.replaceChildren();
    const { x, y, low, high, first, last } = scales();
    for (const value of ticks(low, high)) {
      shape("line", { class: "tick", x1: BOX.left, x2: BOX.right, y1: y(value), y2: y(value) }, plot);
      shape("text", { x: BOX.left - 6, y: y(value) + 4, "text-anchor": "end" }, plot, number(value));
    }
    for (const epoch of ticks(first, Math.max(last, first + 1)).filter((e) => Number.isInteger(e) && e <= last)) {
      shape("text", { x: x(epoch), y: BOX.bottom + 18, "text-anchor": "middle" }, plot, number(epoch));
    }
    shape("path", { class: "axis", d: `M${BOX.left} ${BOX.top}V${BOX.bottom}H${BOX.right}` }, plot);
    shape("text", { x: (BOX.left + BOX.right) / 2, y: 314, "text-anchor": "middle" }, plot, "epoch");
    const legend = document.getElementById("legend");
    legend.replaceChildren();
    for (const cell of cells()) {
      const [mean, lowest, highest] = cell.values[kind.value];
      const there = data.epochs.map((_, i) => i).filter((i) => mean[i] !== null);
      const stroke = { stroke: colour(cell), "stroke-width": 2, fill: "none", "stroke-dasharray": DASHES[cell.position % 8] };
      if (there.length) {
        const up = there.map((i) => [x(data.epochs[i]), y(highest[i])]);
        const down = there.map((i) => [x(data.epochs[i]), y(lowest[i])]).reverse();
        shape("path", { d: path([...up, ...down]) + "Z", fill: colour(cell), opacity: 0.2 }, plot);
        shape("path", { d: path(there.map((i) => [x(data.epochs[i]), y(mean[i])])), ...stroke }, plot);
        if (there.length === 1) shape("circle", { cx: x(data.epochs[there[0]]), cy: y(mean[there[0]]), r: 4, fill: colour(cell) }, plot);
      }
      const item = document.createElement("span");
      const sample = shape("svg", { viewBox: "0 0 38 12", "aria-hidden": "true" }, item);
      shape("line", { x1: 0, x2: 38, y1: 6, y2: 6, ...stroke }, sample);
      item.append(cell.label);
      legend.append(item);
    }
    document.getElementById("plot-title").textContent = `${data.cells[chosen].title}: ${data.kinds[kind.value].label} (${data.kinds[kind.value].unit}) over the epochs`;
    read();
  };

  const read = () => {
    for (const old of plot.querySelectorAll(".hair")) old.remove();
    const reading = document.getElementById("reading");
    if (at === null) {
      reading.textContent = "";
      return;
    }
    const place = scales().x(data.epochs[at]);
    shape("line", { class: "hair", x1: place, x2: place, y1: BOX.top, y2: BOX.bottom }, plot);
    const unit = data.kinds[kind.value].unit;
    const told = cells().map((cell) => {
      const [mean, lowest, highest] = cell.values[kind.value].map((line) => line[at]);
      return mean === null ? `${cell.label} –` : `${cell.label} ${number(mean)} ${unit} (${number(lowest)} to ${number(highest)})`;
    });
    reading.textContent = `epoch ${data.epochs[at]}: ${told.join(" · ")}`;
  };

  const show = (position) => {
    chosen = position;
    at = null;
    for (const row of rows) row.classList.toggle("chosen", data.cells[row.dataset.cell].group === data.cells[chosen].group);
    document.getElementById("viewer").hidden = false;
    draw();
  };

  for (const row of rows) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = row.cells[0].textContent;
    button.title = "Show this cell's curves";
    row.cells[0].replaceChildren(button);
    row.addEventListener("click", () => {
      show(Number(row.dataset.cell));
      document.getElementById("viewer").scrollIntoView({ block: "nearest" });
    });
  }
  if (rows.length) show(0);
  kind.addEventListener("change", draw);
  plot.addEventListener("pointermove", (event) => {
    const box = plot.getBoundingClientRect();
    const place = ((event.clientX - box.left) * 720) / box.width;
    const { x } = scales();
    const gaps = data.epochs.map((epoch) => Math.abs(x(epoch) - place));
    at = gaps.indexOf(Math.min(...gaps));
    read();
  });
  plot.addEventListener("pointerleave", () => {
    at = null;
    read();
  });
  plot.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    at = at === null ? (step > 0 ? 0 : data.epochs.length - 1) : Math.min(Math.max(at + step, 0), data.epochs.length - 1);
    read();
  });
})();
