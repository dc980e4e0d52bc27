// Pictures of clusters, as SVG.

const SVG = "http://www.w3.org/2000/svg";
const MARGIN = 0.12; // of a close-up, as a fraction of the extent of the outlines

function draw(name, attributes = {}, parent = null) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (parent) parent.append(element);
  return element;
}

const imageAddress = (image) => byId(`image-${image}`)?.textContent;

// Aspect ratio of a picture: that of its image, within limits.
function proportions(image) {
  const [, , width, height] = IMAGES.box[image];
  return Math.min(Math.max(width / height, 0.75), 1.8);
}

// All cards have the median ratio, since most images of a project are alike.
const USUAL = IMAGES.box.map((_, image) => proportions(image)).sort((a, b) => a - b)[IMAGES.box.length >> 1] ?? 1;

// Properties that the script sets are rules of the style sheet, not styles of each element.
function propertyOf(selector, name) {
  const sheet = document.styleSheets[0];
  const { style } = sheet.cssRules[sheet.insertRule(`${selector} {}`)];
  return (value) => style.setProperty(name, value);
}
propertyOf("#cards", "--ratio")(USUAL);

function wholeView(image) {
  return IMAGES.box[image];
}

// The box around the outlines and the correction of a cluster, widened to the aspect ratio of its picture.
function closeView(row, ratio) {
  const image = imageOf(row), group = CLUSTERS.group[row];
  const marks = GROUPS.paths[group].filter((_, k) => GROUPS.labels[group][k] === CLUSTERS.label[row]);
  if (CLUSTERS.correction[row] === "corrected") marks.push(CLUSTERS.average[row]);
  const [left, top, right, bottom] = boxAround(marks);
  if (left > right) return wholeView(image);
  const margin = Math.max(right - left, bottom - top, 1) * MARGIN;
  const height = Math.max(bottom - top + 2 * margin, (right - left + 2 * margin) / ratio);
  const width = height * ratio;
  const [x, y, w, h] = wholeView(image);
  // Moved into the image, since there is nothing to see beyond it.
  const within = (middle, size, from, length) =>
    size >= length ? from + (length - size) / 2 : Math.min(Math.max(middle - size / 2, from), from + length - size);
  return [within((left + right) / 2, width, x, w), within((top + bottom) / 2, height, y, h), width, height];
}

// Left, top, right and bottom of paths such as `M12 5l3-2 4 0z`: a point, then steps.
function boxAround(paths) {
  let left = Infinity, top = Infinity, right = -Infinity, bottom = -Infinity;
  for (const path of paths) {
    const numbers = (path.match(/-?\d+/g) ?? []).map(Number);
    for (let k = 0, x = 0, y = 0; k + 1 < numbers.length; k += 2) {
      x += numbers[k];
      y += numbers[k + 1];
      [left, top, right, bottom] = [Math.min(left, x), Math.min(top, y), Math.max(right, x), Math.max(bottom, y)];
    }
  }
  return [left, top, right, bottom];
}

function heatColour(share) {
  const place = Math.min(Math.max(share, 0), 1) * (DATA.heat.length - 1);
  const low = Math.floor(place), high = Math.min(low + 1, DATA.heat.length - 1);
  const part = (colour, k) => parseInt(colour.slice(1 + 2 * k, 3 + 2 * k), 16);
  const mixed = [0, 1, 2].map((k) =>
    Math.round(part(DATA.heat[low], k) + (part(DATA.heat[high], k) - part(DATA.heat[low], k)) * (place - low)));
  return `rgb(${mixed.join(",")})`;
}

// The image of some rows of a subject, with the outlines of all groups of this image.
function thumbnailOf(rows) {
  const image = imageOf(rows[0]), address = imageAddress(image);
  const svg = draw("svg", { class: `picture${address ? " on-image" : ""}`, viewBox: wholeView(image).join(" ") });
  drawImage(svg, image, address);
  const ofImage = rows.filter((row) => imageOf(row) === image);
  for (const group of new Set(ofImage.map((row) => CLUSTERS.group[row]))) {
    const removed = new Set(ofImage.filter((row) => CLUSTERS.group[row] === group && isRemoved(row)).map((row) => CLUSTERS.label[row]));
    const layerOf = (label) => (label < 0 ? "outlier" : removed.has(label) ? "other" : "outline");
    const paths = groupedBy(GROUPS.paths[group].keys(), (k) => layerOf(GROUPS.labels[group][k]));
    for (const [layer, marks] of paths) line(svg, layer, marks.map((k) => GROUPS.paths[group][k]).join(""));
  }
  for (const row of ofImage) if (CLUSTERS.average[row]) line(svg, thickLayer(row), CLUSTERS.average[row]);
  return svg;
}

function drawImage(svg, image, address) {
  const [x, y, width, height] = IMAGES.box[image];
  draw("rect", { class: "paper", x, y, width, height }, svg);
  if (address) draw("image", { class: "photo", href: address, x, y, width, height, preserveAspectRatio: "none" }, svg);
}

// `kind` is "outlines" or "contours"; `single` draws a path per mark, so that single marks can be highlighted.
function picture(row, kind, { close = false, single = false, ratio = USUAL } = {}) {
  const svg = Object.assign(draw("svg"), { row, single, ratio, lit: new Set() });
  setView(svg, close);
  drawKind(svg, kind);
  return svg;
}

function drawKind(svg, kind) {
  const { row } = svg;
  const image = imageOf(row), address = imageAddress(image);
  svg.kind = kind;
  svg.setAttribute("class", `picture ${kind}${address ? " on-image" : ""}`);
  svg.replaceChildren();
  drawImage(svg, image, address);
  if (kind === "contours") drawContours(svg, row);
  else drawOutlines(svg, row);
  const thick = kind === "contours" ? majorityOf(row) : CLUSTERS.average[row];
  if (thick) line(svg, thickLayer(row), thick);
}

const thickLayer = (row) => (CLUSTERS.correction[row] === "corrected" ? "corrected" : "average");

// The line on the contours: a chosen level, a correction, or the majority outline. Of an odd number of marks, that is the
// level of more than half of them; the median of one or two marks is their majority.
function majorityOf(row) {
  const { type, marks, average, majority, levels, levelNumbers } = CLUSTERS;
  const isAverage = ["majority", "corrected"].includes(type[row]) || (type[row] === "median" && marks[row] <= 2);
  if (DATA.level || isRemoved(row) || isAverage) return average[row];
  return majority[row] ?? levels[row][levelNumbers[row].indexOf(Math.floor(marks[row] / 2) + 1)] ?? "";
}

function setView(svg, close) {
  svg.setAttribute("viewBox", (close ? closeView(svg.row, svg.ratio) : wholeView(imageOf(svg.row))).join(" "));
}

function described(row, kind) {
  const group = CLUSTERS.group[row], outliers = several(GROUPS.outliers[group], "outlier");
  if (kind === "contours") return `Contours: ${several(CLUSTERS.levels[row].length, "level")}`;
  return hasLabel(row) ? `Outlines of ${several(CLUSTERS.marks[row], "mark")} and ${outliers}` : `Outlines of ${outliers}`;
}

const hasContours = (row) => CLUSTERS.levels[row].length > 0;

function drawOutlines(svg, row) {
  const group = CLUSTERS.group[row], label = CLUSTERS.label[row];
  const paths = { other: [], outlier: [], outline: [] };
  GROUPS.labels[group].forEach((of, k) => {
    paths[of < 0 ? "outlier" : of === label ? "outline" : "other"].push(k);
  });
  for (const [layer, marks] of Object.entries(paths)) {
    if (svg.single) {
      for (const k of marks) {
        const drawn = line(svg, layer, GROUPS.paths[group][k]);
        drawn.setAttribute("data-mark", k);
        drawn.classList.toggle("lit", svg.lit.has(k));
      }
    } else if (marks.length) line(svg, layer, marks.map((k) => GROUPS.paths[group][k]).join(""));
  }
  const chosen = onlyVolunteer === null ? [] : marksOfVolunteer(onlyVolunteer, group);
  if (chosen.length) line(svg, "of-volunteer", chosen.map((k) => GROUPS.paths[group][k]).join(""));
}

// Colours are shares of the classifications of the subject, so that 2 of 2 marks do not look like 9 of 9.
function drawContours(svg, row) {
  const heat = draw("g", { class: "heat" }, svg);
  const numbers = CLUSTERS.levelNumbers[row], of = GROUPS.classifications[CLUSTERS.group[row]];
  CLUSTERS.levels[row].forEach((path, k) => {
    draw("path", { d: path, fill: heatColour(numbers[k] / of), "data-level": numbers[k] }, heat);
  });
  // Only when they are needed: titles of all levels would make printing slow.
  heat.addEventListener("pointerover", ({ target }) => {
    const level = Number(target.dataset.level);
    if (!target.firstChild) draw("title", {}, target).textContent = `at least ${several(level, "mark")}, of ${several(of, "classification")}`;
  });
}

// A line, on images and contours with a dark rim; that of a correction is double.
function line(svg, layer, path) {
  const both = draw("g", { class: `line ${layer}` }, svg);
  if (svg.classList.contains("on-image") || svg.kind === "contours") draw("path", { class: "rim", d: path }, both);
  draw("path", { d: path }, both);
  if (layer === "corrected") draw("path", { class: "core", d: path }, both);
  return both;
}
