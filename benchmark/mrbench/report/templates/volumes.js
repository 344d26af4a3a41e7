"use strict";
const data = JSON.parse(document.getElementById("data").textContent), byId = id => document.getElementById(id);
const [depth, height, width] = data.shape, at = data.shape.map(size => size >> 1);
const canvases = [...document.querySelectorAll("#planes canvas")], captions = [...document.querySelectorAll("figcaption")];
// across each plane: its own axis, then the axis downwards and the axis to the right
const planes = [[0, 1, 2], [1, 0, 2], [2, 0, 1]], volumes = [];

function unpacked(image) {
  const canvas = document.createElement("canvas");
  canvas.width = image.width;
  canvas.height = image.height;
  const paint = canvas.getContext("2d", { willReadFrequently: true });
  paint.drawImage(image, 0, 0);
  const pixels = paint.getImageData(0, 0, image.width, image.height).data, volume = new Uint8Array(depth * height * width);
  for (let z = 0, to = 0; z < depth; z++) {
    const top = height * Math.floor(z / data.across), left = width * (z % data.across);
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++, to++) volume[to] = pixels[4 * ((top + y) * image.width + left + x)];
  }
  return volume;
}

function drawPlane(number) {
  const [own, down, right] = planes[number], canvas = canvases[number];
  const rows = data.shape[down], columns = data.shape[right], stride = [height * width, width, 1];
  canvas.width = columns;
  canvas.height = rows;
  const paint = canvas.getContext("2d"), image = paint.createImageData(columns, rows);
  const source = byId("source").checked, prediction = volumes[2 + byId("shown").selectedIndex];
  const blend = source ? 0 : byId("blend").value / 100, error = source ? 0 : byId("error").value / 100;
  const bright = byId("bright").value / 100, base = volumes[source ? 1 : 0];
  for (let row = 0, to = 0; row < rows; row++)
    for (let column = 0; column < columns; column++, to += 4) {
      const from = at[own] * stride[own] + (rows - 1 - row) * stride[down] + column * stride[right];
      const difference = (prediction[from] - volumes[0][from]) / 255 / data.limit;
      const grey = bright * (base[from] * (1 - blend) + prediction[from] * blend), share = error * Math.min(1, Math.abs(difference));
      const colour = difference > 0 ? [214, 47, 39] : [49, 104, 189];
      for (let part = 0; part < 3; part++) image.data[to + part] = grey * (1 - share) + colour[part] * share;
      image.data[to + 3] = 255;
    }
  paint.putImageData(image, 0, 0);
  const cross = [at[right], rows - 1 - at[down]];
  paint.fillStyle = "rgba(240, 228, 66, .45)";
  paint.fillRect(cross[0], 0, 1, rows);
  paint.fillRect(0, cross[1], columns, 1);
  const zoom = Math.min(420, innerWidth > 800 ? innerWidth / 3 - 20 : innerWidth - 24) / Math.max(...data.shape.map((size, axis) => size * data.spacing[axis]));
  canvas.style.width = `${Math.round(columns * data.spacing[right] * zoom)}px`;
  canvas.style.height = `${Math.round(rows * data.spacing[down] * zoom)}px`;
  captions[number].textContent = `${["slice", "row", "column"][own]} ${at[own]} of ${data.shape[own]}`;
}

function draw() {
  planes.forEach((_, number) => drawPlane(number));
  const shown = byId("shown").selectedIndex;
  byId("said").textContent = byId("source").checked ? data.names[1]
    : `${data.methods[shown]}${data.scores[shown] ? `: ${data.scores[shown]}` : ""}; error red above, blue below ${data.names[0]}, full at ±${data.limit}`;
}

function move(axis, by) {
  at[axis] = Math.min(Math.max(at[axis] + by, 0), data.shape[axis] - 1);
  draw();
}

function start() {
  data.methods.forEach(name => { const made = document.createElement("option"); made.textContent = name; byId("shown").append(made); });
  byId("source-name").textContent = data.names[1];
  ["shown", "blend", "error", "bright", "source"].forEach(id => byId(id).addEventListener("input", draw));
  addEventListener("resize", draw);
  canvases.forEach((canvas, number) => {
    const [own, down, right] = planes[number];
    canvas.addEventListener("click", event => {
      const box = canvas.getBoundingClientRect(), clip = (value, axis) => Math.min(Math.max(Math.floor(value), 0), data.shape[axis] - 1);
      at[right] = clip((event.clientX - box.left) / box.width * data.shape[right], right);
      at[down] = clip((1 - (event.clientY - box.top) / box.height) * data.shape[down], down);
      canvas.focus();
      draw();
    });
    canvas.addEventListener("wheel", event => { event.preventDefault(); move(own, Math.sign(event.deltaY)); }, { passive: false });
    canvas.addEventListener("keydown", event => {
      const select = byId("shown"), step = by => {
        select.selectedIndex = Math.min(Math.max(select.selectedIndex + by, 0), select.length - 1);
        draw();
      };
      const keys = {
        ArrowUp: () => move(own, 1), ArrowDown: () => move(own, -1), ArrowLeft: () => step(-1), ArrowRight: () => step(1),
        e: () => { byId("error").value = byId("error").value > 0 ? 0 : 100; draw(); },
      };
      if (keys[event.key]) { event.preventDefault(); keys[event.key](); }
    });
  });
  draw();
}

Promise.all(data.volumes.map(address => new Promise((done, failed) => {
  const image = new Image();
  image.onload = () => done(unpacked(image));
  image.onerror = failed;
  image.src = address;
}))).then(loaded => { volumes.push(...loaded); start(); });
