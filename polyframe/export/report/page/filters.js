// Filters and order of the clusters.

const FILTERS = byId("filters");
const NARROW = matchMedia("(max-width: 60rem)");
const BARS = [...document.querySelectorAll(".chart .bar")];
const ORDERS = {
  worst: (a, b) => a - b,
  best: (a, b) => CLUSTERS.consensus[b] - CLUSTERS.consensus[a] || a - b,
  many: (a, b) => CLUSTERS.marks[b] - CLUSTERS.marks[a] || a - b,
  few: (a, b) => CLUSTERS.marks[a] - CLUSTERS.marks[b] || a - b,
  area: (a, b) => CLUSTERS.area[b] - CLUSTERS.area[a] || a - b,
  subject: (a, b) => CLUSTERS.place[a] - CLUSTERS.place[b],
};
// The subject of a followed link; only its clusters are shown.
let onlySubject = null;

function fillTools() {
  const numbers = new Map();
  for (let cluster = 0; cluster < COUNT; cluster++) {
    const key = JSON.stringify([taskOf(cluster), toolOf(cluster)]);
    numbers.set(key, (numbers.get(key) ?? 0) + 1);
  }
  for (const key of [...numbers.keys()].sort()) {
    const [task, tool] = JSON.parse(key);
    const name = tool.startsWith(task) ? tool : `${task}, ${tool}`;
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
    tool: tool && JSON.parse(tool),
    begins: byId("subject").value.trim(),
    withOutliers: byId("with-outliers").checked,
  };
}

function chosenClusters({ least, most, fewest, largest, tool, begins, withOutliers }) {
  const chosen = [];
  for (let cluster = 0; cluster < COUNT; cluster++) {
    const consensus = CLUSTERS.consensus[cluster], marks = CLUSTERS.marks[cluster];
    if (consensus < least || consensus > most || marks < fewest || marks > largest) continue;
    if (tool && (tool[0] !== taskOf(cluster) || tool[1] !== toolOf(cluster))) continue;
    const subject = subjectOf(cluster);
    if (onlySubject !== null ? subject !== onlySubject : !subject.startsWith(begins)) continue;
    if (withOutliers && !GROUPS.outliers[CLUSTERS.group[cluster]]) continue;
    chosen.push(cluster);
  }
  return chosen.sort(ORDERS[byId("order").value]);
}

// The filters as a sentence, for paper, where the fields are hidden.
function criteria({ least, most, fewest, largest, tool, begins, withOutliers }) {
  const filters = [
    least > 0 || most < 1 ? `consensus from ${least.toFixed(2)} to ${most.toFixed(2)}` : "",
    fewest ? `at least ${several(fewest, "mark")}` : "",
    largest < Infinity ? `at most ${several(largest, "mark")}` : "",
    tool ? `tool ${tool[1]}` : "",
    onlySubject !== null ? `subject ${onlySubject}` : begins ? `subjects that start with ${begins}` : "",
    withOutliers ? "only groups with outliers" : "",
  ].filter(Boolean);
  return `Sorted by ${byId("order").selectedOptions[0].textContent}. Filters: ${filters.join("; ") || "none"}.`;
}

function apply() {
  waiting = 0;
  for (const id of ["least", "most"]) {
    document.querySelector(`output[for=${id}]`).textContent = Number(byId(id).value).toFixed(2);
  }
  const filters = chosenFilters();
  const chosen = chosenClusters(filters);
  byId("count").textContent = `${formatNumber(chosen.length)} of ${several(COUNT, "cluster")} shown`;
  byId("criteria").textContent = criteria(filters);
  byId("empty").hidden = chosen.length > 0;
  byId("empty").textContent = COUNT
    ? "No clusters match. Widen a filter, or reset them all."
    : "This output has no clusters.";
  showBars(chosen);
  showSubject();
  showCards(chosen);
}

function showBars(chosen) {
  const numbers = new Array(BARS.length).fill(0);
  for (const cluster of chosen) {
    const step = Math.floor(CLUSTERS.consensus[cluster] * BARS.length + 1e-9);
    numbers[Math.min(Math.max(step, 0), BARS.length - 1)]++;
  }
  // On the scale of the bars of all clusters.
  const { scale, bottom } = document.querySelector(".chart").dataset;
  BARS.forEach((bar, k) => {
    const rect = bar.querySelector(".chosen"), height = numbers[k] * Number(scale);
    rect.setAttribute("height", height.toFixed(1));
    rect.setAttribute("y", (Number(bottom) - height).toFixed(1));
  });
}

function showSubject() {
  const box = byId("of-subject");
  box.hidden = onlySubject === null;
  box.replaceChildren();
  if (onlySubject === null) return;
  const back = make("button", { type: "button" }, "Show all subjects");
  back.addEventListener("click", () => {
    forgetSubject();
    apply();
  });
  box.append(make("p", {}, subjectSentence(onlySubject)), back);
}

function forgetSubject() {
  if (onlySubject === null) return;
  onlySubject = null;
  byId("subject").value = "";
  leaveHash();
}

function subjectSentence(subject) {
  const here = BY_SUBJECT.get(subject)?.length ?? 0, of = DATA.subjects[subject]?.clusters ?? 0;
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
    forgetSubject();
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
  forgetSubject();
  // The fields are reset only after this event.
  applySoon();
});

for (const box of document.querySelectorAll("[data-layer]")) {
  box.addEventListener("change", () => {
    document.body.classList.toggle(`without-${box.dataset.layer}`, !box.checked);
  });
}
byId("closeup").addEventListener("change", () => {
  document.querySelectorAll("#cards svg.outlines").forEach((svg) => setView(svg, byId("closeup").checked));
});
