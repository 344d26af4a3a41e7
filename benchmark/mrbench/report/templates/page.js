"use strict";
const byId = id => document.getElementById(id);
const data = JSON.parse(byId("data").textContent);
document.querySelectorAll(".script").forEach(part => { part.hidden = false; });

function option(select, text, value) {
  const entry = document.createElement("option");
  entry.textContent = text;
  entry.value = value === undefined ? text : value;
  select.append(entry);
}

// a long name may break where its parameters do
function named(parent, text) {
  text.split(/(?<=[[,=+_.])/).forEach((piece, at) => {
    if (at) parent.append(document.createElement("wbr"));
    parent.append(piece);
  });
}

function cell(row, text, name) {
  const made = document.createElement("td");
  made.textContent = text;
  if (name) made.className = name;
  row.append(made);
  return made;
}

// --- the leaderboard: sort, filter, hide columns ---
const board = byId("board"), body = board.tBodies[0], heads = [...board.tHead.rows[0].cells];

function valueIn(row, column) {
  const text = row.cells[column].dataset.value;
  return text === "" || text === "nan" ? null : isNaN(text) ? text : Number(text);
}

function sortBy(column) {
  const head = heads[column], up = head.getAttribute("aria-sort") !== "ascending", sign = up ? 1 : -1;
  heads.forEach(other => other.removeAttribute("aria-sort"));
  head.setAttribute("aria-sort", up ? "ascending" : "descending");
  const rows = [...body.rows].map(row => [valueIn(row, column), row]);
  rows.sort(([a], [b]) => a === null ? (b === null ? 0 : 1) : b === null ? -1
    : sign * (typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b))));
  body.append(...rows.map(([, row]) => row));
}

heads.forEach((head, column) => {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = head.textContent;
  button.addEventListener("click", () => sortBy(column));
  head.replaceChildren(button);
  if (head.classList.contains("name")) return;
  const label = document.createElement("label"), box = document.createElement("input");
  box.type = "checkbox";
  box.checked = true;
  box.addEventListener("change", () => {
    [head, ...[...body.rows].map(row => row.cells[column])].forEach(part => { part.hidden = !box.checked; });
  });
  label.append(box, button.textContent);
  byId("columns").append(label);
});

function filter() {
  const words = byId("filter").value.toLowerCase().split(/\s+/).filter(Boolean), kind = byId("kind").value;
  const rows = [...body.rows];
  rows.forEach(row => {
    const name = row.querySelector(".name").textContent.toLowerCase();
    row.hidden = !(words.every(word => name.includes(word)) && (!kind || row.dataset.kind === kind));
  });
  const shown = rows.filter(row => !row.hidden).length;
  byId("count").textContent = shown < rows.length ? `${shown} of ${rows.length} methods` : "";
}
byId("filter").addEventListener("input", filter);
byId("kind").addEventListener("change", filter);

// --- one case: every method's scores ---
function showCase() {
  const at = byId("case").selectedIndex, table = byId("scores");
  const head = document.createElement("thead"), names = head.insertRow(), lines = document.createElement("tbody");
  ["method", ...data.metrics.map(metric => metric.title)].forEach((text, column) => {
    const made = document.createElement("th");
    made.scope = "col";
    made.textContent = text;
    if (!column) made.className = "left name";
    names.append(made);
  });
  const best = data.metrics.map(metric => {
    const known = data.methods.map(method => data.values[metric.name][method]?.[at]).filter(v => v != null);
    return metric.ranked && known.length ? metric.sign * Math.max(...known.map(v => metric.sign * v)) : null;
  });
  data.methods.forEach((method, place) => {
    const row = lines.insertRow();
    row.dataset.kind = data.kinds[place];
    named(cell(row, "", "left name"), method);
    const failure = data.failures.find(one => one[0] === method && one[1] === data.cases[at]);
    data.metrics.forEach((metric, column) => {
      const value = data.values[metric.name][method]?.[at];
      const made = cell(row, value == null ? "–" : value.toFixed(metric.digits), !failure && value === best[column] && value != null ? "best" : "");
      if (failure && !column) {
        const small = document.createElement("small");
        small.textContent = `${failure[2]}: counts as this. ${failure[3]}`;
        made.append(small);
      }
    });
  });
  table.replaceChildren(head, lines);
}
if (data.cases.length) {
  data.cases.forEach(name => option(byId("case"), name));
  const move = step => {
    const select = byId("case");
    select.selectedIndex = (select.selectedIndex + step + data.cases.length) % data.cases.length;
    showCase();
  };
  byId("case").addEventListener("change", showCase);
  byId("before").addEventListener("click", () => move(-1));
  byId("after").addEventListener("click", () => move(1));
  showCase();
}

// --- pairs of methods ---
if (byId("against")) {
  data.methods.forEach(name => option(byId("against"), name));
  byId("against").addEventListener("change", event => {
    const wanted = event.target.value;
    [...byId("comparisons").tBodies[0].rows].forEach(row => {
      row.hidden = wanted !== "" && row.cells[0].textContent !== wanted && row.cells[1].textContent !== wanted;
    });
    byId("pairs").open = true;
  });
}

// --- the slice viewer ---
function startViewer() {
  const canvas = byId("slice"), paint = canvas.getContext("2d"), images = data.shots.map(shot => {
    const load = address => { const image = new Image(); image.onload = draw; image.src = address; return image; };
    return { truth: load(shot.truth), predictions: load(shot.predictions), errors: load(shot.errors) };
  });
  function draw() {
    const at = byId("shot").selectedIndex, shot = data.shots[at], own = images[at], method = byId("shown").selectedIndex;
    const part = (image, place, alpha) => {
      paint.globalAlpha = alpha;
      paint.drawImage(image, 0, place * shot.height, shot.width, shot.height, 0, 0, shot.width, shot.height);
    };
    canvas.width = shot.width;
    canvas.height = shot.height;
    const source = byId("source").checked;
    part(own.truth, source ? 1 : 0, 1);
    if (!source && method >= 0) {
      part(own.predictions, method, byId("blend").value / 100);
      part(own.errors, method, byId("error").value / 100);
    }
    const metric = data.metrics[0], place = data.cases.indexOf(shot.case), name = shot.methods[method];
    const value = metric && place >= 0 ? data.values[metric.name][name]?.[place] : null;
    byId("said").textContent = source ? `${shot.names[1]}, case ${shot.case}`
      : `${name}, case ${shot.case}${value == null ? "" : `: ${metric.title} ${value.toFixed(metric.digits)}`}; `
        + `error red above, blue below ${shot.compared}, up to ±${shot.limit}`;
  }
  function choose() {
    const shot = data.shots[byId("shot").selectedIndex], select = byId("shown"), before = select.value;
    select.replaceChildren();
    shot.methods.forEach(name => option(select, name));
    select.selectedIndex = Math.max(0, shot.methods.indexOf(before));
    byId("source-name").textContent = shot.names[1];
    draw();
  }
  function step(by) {
    const select = byId("shown");
    select.selectedIndex = Math.min(Math.max(select.selectedIndex + by, 0), select.length - 1);
    draw();
  }
  data.shots.forEach(shot => option(byId("shot"), `${shot.label}: ${shot.case}`));
  byId("shot").addEventListener("change", choose);
  ["shown", "blend", "error", "source"].forEach(id => byId(id).addEventListener("input", draw));
  canvas.addEventListener("keydown", event => {
    const blend = byId("blend"), keys = {
      ArrowUp: () => step(-1), ArrowDown: () => step(1),
      ArrowLeft: () => { blend.value = Number(blend.value) - 10; draw(); },
      ArrowRight: () => { blend.value = Number(blend.value) + 10; draw(); },
      e: () => { byId("error").value = byId("error").value > 0 ? 0 : 100; draw(); },
    };
    if (keys[event.key]) { event.preventDefault(); keys[event.key](); }
  });
  canvas.addEventListener("wheel", event => { event.preventDefault(); step(Math.sign(event.deltaY)); }, { passive: false });
  choose();
}
if (data.shots.length) startViewer();

// --- figures to files ---
document.querySelectorAll(".save").forEach(button => button.addEventListener("click", () => {
  const link = document.createElement("a"), image = button.closest("figure").querySelector("img");
  link.href = image.src;
  link.download = `${button.dataset.name}.${image.src.startsWith("data:image/svg") ? "svg" : "webp"}`;
  link.click();
}));
