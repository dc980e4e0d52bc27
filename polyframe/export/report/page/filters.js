// Filters and order of the clusters.

const FILTERS = byId("filters");
const NARROW = matchMedia("(max-width: 60rem)");
const BARS = [...document.querySelectorAll(".chart .bar")];
const ORDERS = {
  worst,
  best: by((row) => -CLUSTERS.consensus[row]),
  many: by((row) => -CLUSTERS.marks[row]),
  few: by((row) => CLUSTERS.marks[row]),
  "least-support": by((row) => CLUSTERS.threshold[row]),
  "most-support": by((row) => -CLUSTERS.threshold[row]),
  "least-expected": by((row) => CLUSTERS.expected[row] ?? Infinity),
  area: by((row) => -CLUSTERS.area[row]),
  subject: (a, b) => a - b,
};

// Groups without a cluster first, then the least consensus, of the most marks; removed clusters last.
function worst(a, b) {
  const { consensus, marks, group } = CLUSTERS;
  if (hasLabel(a) !== hasLabel(b)) return hasLabel(a) - hasLabel(b);
  if (isRemoved(a) !== isRemoved(b)) return isRemoved(a) - isRemoved(b);
  if (!hasLabel(a)) return GROUPS.paths[group[b]].length - GROUPS.paths[group[a]].length || a - b;
  return consensus[a] - consensus[b] || marks[b] - marks[a] || a - b;
}

function by(value) {
  return (a, b) => value(a) - value(b) || worst(a, b);
}

// The subject of a followed link; only its clusters are shown.
let onlySubject = null;

function fillTools() {
  const keyOfGroup = GROUPS.tool.map((tool, group) => JSON.stringify([GROUPS.task[group], tool]));
  const numbers = new Map(keyOfGroup.map((key) => [key, 0]));
  CLUSTERS.group.forEach((group, row) => {
    numbers.set(keyOfGroup[group], numbers.get(keyOfGroup[group]) + isCluster(row));
  });
  for (const key of [...numbers.keys()].sort()) {
    const [task, tool] = JSON.parse(key);
    const word = wordFor(DATA.words.tools, tool);
    const name = word === tool && !tool.startsWith(task) ? `${task}, ${tool}` : word;
    byId("tool").append(make("option", { value: key }, `${name} (${formatNumber(numbers.get(key))})`));
  }
}

function chosenFilters() {
  const tool = byId("tool").value;
  return {
    least: Number(byId("least").value),
    most: Number(byId("most").value),
    fewest: byId("fewest").valueAsNumber || 0,
    largest: byId("largest").valueAsNumber || Infinity,
    support: byId("support").valueAsNumber || 0,
    expected: byId("expected").value === "" ? Infinity : byId("expected").valueAsNumber,
    tool: tool && JSON.parse(tool),
    correction: byId("correction").value,
    begins: byId("subject").value.trim(),
    withOutliers: byId("with-outliers").checked,
  };
}

function chosenRows({ least, most, fewest, largest, support, expected, tool, correction, begins, withOutliers }) {
  const chosen = [];
  for (let row = 0; row < countRows(); row++) {
    const consensus = CLUSTERS.consensus[row] ?? 0, marks = CLUSTERS.marks[row];
    if (consensus < least || consensus > most || marks < fewest || marks > largest) continue;
    if (100 * CLUSTERS.threshold[row] < support || (CLUSTERS.expected[row] ?? Infinity) > expected) continue;
    if (tool && (tool[0] !== taskOf(row) || tool[1] !== toolOf(row))) continue;
    if (correction && (CLUSTERS.correction[row] ?? "none") !== correction) continue;
    const subject = subjectOf(row);
    if (onlyVolunteer !== null && !drewIn(onlyVolunteer, row)) continue;
    if (onlySubject !== null ? subject !== onlySubject : !subject.startsWith(begins)) continue;
    if (withOutliers && !GROUPS.outliers[CLUSTERS.group[row]]) continue;
    chosen.push(row);
  }
  return chosen;
}

// While settings are tried, clusters stay where they are, so that a card does not run away from who looks at it; a new
// cluster follows the others of its group. `places` are those of the clusters of each group, by label.
function keepingPlaces(rows, places) {
  const placeOfRow = rows.map((row) => {
    const ofGroup = places.get(CLUSTERS.group[row]);
    return ofGroup?.get(CLUSTERS.label[row]) ?? ofGroup?.get("last") ?? Infinity;
  });
  const order = [...rows.keys()].sort((a, b) => (placeOfRow[a] === placeOfRow[b] ? a - b : placeOfRow[a] - placeOfRow[b]));
  return order.map((k) => rows[k]);
}

function placesOf(rows) {
  const places = new Map();
  rows.forEach((row, place) => {
    const group = CLUSTERS.group[row];
    if (!places.has(group)) places.set(group, new Map());
    places.get(group).set(CLUSTERS.label[row], place).set("last", place + 0.5);
  });
  return places;
}

// The filters as a sentence, for paper, where the fields are hidden.
function criteria({ least, most, fewest, largest, support, expected, tool, correction, begins, withOutliers }) {
  const filters = [
    least > 0 || most < 1 ? `consensus from ${least.toFixed(2)} to ${most.toFixed(2)}` : "",
    fewest ? `at least ${several(fewest, "mark")}` : "",
    largest < Infinity ? `at most ${several(largest, "mark")}` : "",
    support > 0 ? `at least ${support} % of the classifications` : "",
    expected < Infinity ? `expected IoU at most ${expected}` : "",
    tool ? `tool ${wordFor(DATA.words.tools, tool[1])}` : "",
    correction ? byId("correction").selectedOptions[0].textContent : "",
    onlySubject !== null ? `subject ${onlySubject}` : begins ? `subjects that start with ${begins}` : "",
    onlyVolunteer !== null ? `marks of ${VOLUNTEERS.name[onlyVolunteer]}` : "",
    withOutliers ? "only groups with outliers" : "",
  ].filter(Boolean);
  const sorted = `Sorted by ${byId("order").selectedOptions[0].textContent}. Filters: ${filters.join("; ") || "none"}.`;
  return tried === null ? sorted : `${sorted} Tried: ${settingsSentence()}, not the settings of the output.`;
}

// Where the clusters were when they were sorted last.
let sortedPlaces = new Map();

function apply({ inPlace = false } = {}) {
  waiting = 0;
  for (const id of ["least", "most"]) {
    document.querySelector(`output[for=${id}]`).textContent = Number(byId(id).value).toFixed(2);
  }
  const filters = chosenFilters();
  let chosen = chosenRows(filters);
  if (inPlace) {
    chosen = keepingPlaces(chosen, sortedPlaces);
  } else {
    chosen.sort(ORDERS[byId("order").value]);
    sortedPlaces = placesOf(chosen);
  }
  byId("count").textContent = countSentence(chosen);
  byId("criteria").textContent = criteria(filters);
  byId("empty").hidden = chosen.length > 0;
  byId("empty").textContent = countRows()
    ? "No clusters match. Widen a filter, or reset them all."
    : "This output has no clusters.";
  showBars(chosen);
  showChoice();
  showSubjects(chosen);
  showCards(chosen, { inPlace });
}

function countSentence(chosen) {
  const clusters = chosen.filter(isCluster).length, removed = chosen.filter(isRemoved).length;
  const without = chosen.length - clusters - removed, all = [...CLUSTERS.label.keys()].filter(isCluster).length;
  const parts = [
    `${formatNumber(clusters)} of ${several(all, "cluster")} shown`,
    removed ? several(removed, "removed cluster") : "",
    without ? `and ${several(without, "group")} without a cluster` : "",
  ];
  return parts.filter(Boolean).join(", ");
}

function showBars(chosen) {
  const numbers = new Array(BARS.length).fill(0);
  for (const row of chosen.filter(isCluster)) {
    const step = Math.floor(CLUSTERS.consensus[row] * BARS.length + 1e-9);
    numbers[Math.min(Math.max(step, 0), BARS.length - 1)]++;
  }
  // On the scale of the bars of all clusters.
  const { scale, bottom } = document.querySelector(".chart").dataset;
  BARS.forEach((bar, k) => {
    const rect = bar.querySelector(".chosen"), height = Math.min(numbers[k] * Number(scale), bottom);
    rect.setAttribute("height", height.toFixed(1));
    rect.setAttribute("y", (Number(bottom) - height).toFixed(1));
  });
}

// The subject or the volunteer whose link was followed, and the way back.
function showChoice() {
  const box = byId("of-subject"), isSubject = onlySubject !== null;
  box.hidden = !isSubject && onlyVolunteer === null;
  box.replaceChildren();
  if (box.hidden) return;
  const back = make("button", { type: "button" }, isSubject ? "Show all subjects" : "Show all marks");
  back.addEventListener("click", () => {
    const link = `main a[href="#${CSS.escape(choiceAnchor())}"]:not([tabindex])`;
    forgetChoice();
    apply();
    // The button is gone; the focus returns to the link that was followed.
    (document.querySelector(link) ?? byId("count")).focus();
  });
  box.append(make("p", {}, isSubject ? subjectSentence(onlySubject) : volunteerSentence(onlyVolunteer)), back);
}

function forgetChoice() {
  if (onlySubject === null && onlyVolunteer === null) return;
  if (onlyVolunteer !== null) forgetCards();
  onlySubject = onlyVolunteer = null;
  byId("subject").value = "";
  leaveHash();
}

function subjectSentence(subject) {
  const here = clustersOfSubject(subject).length, of = rowsOfSubject(subject).length ? numberOfClusters(subject) : 0;
  if (!here) return `Subject ${subject} has no cluster in this report.`;
  return `Subject ${subject} has ${several(of, "cluster")}${here < of ? `, ${here} of them in this report` : ""}.`;
}

let waiting = 0;
function applySoon() {
  cancelAnimationFrame(waiting);
  waiting = requestAnimationFrame(apply);
}

FILTERS.addEventListener("submit", (event) => {
  event.preventDefault();
  if (NARROW.matches) byId("controls").open = false;
  byId("clusters").scrollIntoView();
  byId("count").focus({ preventScroll: true });
});
function changed(event) {
  if (event.type === "input" && event.target.id === "subject") {
    const typed = byId("subject").value;
    forgetChoice();
    byId("subject").value = typed;
  }
  // Keep the lower end below the upper one.
  if (event.target.id === "least" && Number(byId("most").value) < Number(byId("least").value)) {
    byId("most").value = byId("least").value;
  }
  if (event.target.id === "most" && Number(byId("least").value) > Number(byId("most").value)) {
    byId("least").value = byId("most").value;
  }
  applySoon();
}
// Browsers differ in which of the two events a select sends.
FILTERS.addEventListener("input", changed);
FILTERS.addEventListener("change", changed);
FILTERS.addEventListener("reset", () => {
  forgetChoice();
  // The fields are reset only after this event.
  applySoon();
});

for (const box of document.querySelectorAll("[data-layer]")) {
  box.addEventListener("change", () => {
    document.body.classList.toggle(`without-${box.dataset.layer}`, !box.checked);
  });
}
byId("closeup").addEventListener("change", () => {
  document.querySelectorAll("#cards .pictures > :first-child").forEach((svg) => setView(svg, byId("closeup").checked));
});
