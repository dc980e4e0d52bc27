// Other settings of the clustering, tried on all groups of the page at once.

const LIVE = DATA.live;
const PANEL = byId("settings");
const EPS = byId("eps"), EPS_NUMBER = byId("eps-number");
const MIN_SAMPLES = byId("min-samples"), MIN_SAMPLES_NUMBER = byId("min-samples-number");
// The settings that are shown, eps in thousandths; null if they are those of the output.
let tried = null;

const OUTPUT_SETTINGS = { eps: Math.round(1000 * LIVE.eps), minSamples: LIVE.minSamples };
// Another eps than the sliders can show, such as 1/3, is only reached by going back to the output.
const OUTPUT_IS_A_STEP = OUTPUT_SETTINGS.eps / 1000 === LIVE.eps;

const sameSettings = (one, other) => one.eps === other.eps && one.minSamples === other.minSamples;
const isOutput = (settings) => OUTPUT_IS_A_STEP && sameSettings(settings, OUTPUT_SETTINGS);
const settingsShown = () => tried ?? OUTPUT_SETTINGS;
const settingsSentence = () => `eps ${settingsShown().eps / 1000}, min_samples ${settingsShown().minSamples}`;

// The distances of each group: views of one array, decoded when they are first needed.
let distancesOfGroups = null;

function distancesOf(group) {
  distancesOfGroups ??= viewsOfGroups(decoded("distances", Uint16Array));
  return distancesOfGroups[group];
}

let exactDistancesOfGroups = null;

function exactDistancesOf(group) {
  exactDistancesOfGroups ??= viewsOfGroups(decoded("exact-distances", Float64Array));
  return exactDistancesOfGroups[group];
}

function decoded(id, type) {
  const bytes = atob(byId(id).textContent), array = new Uint8Array(bytes.length);
  for (let k = 0; k < bytes.length; k++) array[k] = bytes.charCodeAt(k);
  return new type(array.buffer);
}

function viewsOfGroups(all) {
  let start = 0;
  return GROUPS.paths.map((marks, group) => {
    if (!LIVE.included[group]) return null;
    const end = start + (marks.length * (marks.length - 1)) / 2;
    const view = all.subarray(start, end);
    start = end;
    return view;
  });
}

// The label of each mark of a group. A group with too many marks keeps the labels of the output.
function labelsWith(settings, group) {
  if (!LIVE.included[group]) return OUTPUT_LABELS[group];
  const { eps, minSamples } = settings;
  const labels = dbscan(GROUPS.paths[group].length, distancesOf(group), eps, minSamples);
  if (!LIVE.split) return labels;
  return splitDoubled(labels, GROUPS.classificationIds[group], exactDistancesOf(group), minSamples);
}

let outputRowsOfGroups = null;

function outputRowsOf(group) {
  outputRowsOfGroups ??= groupedBy(
    OUTPUT_COLUMNS.group.map((_, row) => Object.fromEntries(COLUMNS.map((name) => [name, OUTPUT_COLUMNS[name][row]]))),
    (row) => row.group,
  );
  return outputRowsOfGroups.get(group);
}

const sameLabels = (one, other) => one.every((label, mark) => label === other[mark]);

// The corrections of a group, by the marks of their clusters. A cluster that other settings do not change keeps its own,
// as after `polyframe reduce`.
const correctionsOfGroups = new Map();
OUTPUT_COLUMNS.correction.forEach((kind, row) => {
  if (kind === null) return;
  const group = OUTPUT_COLUMNS.group[row], label = OUTPUT_COLUMNS.label[row];
  if (!correctionsOfGroups.has(group)) correctionsOfGroups.set(group, new Map());
  const correction = Object.fromEntries(Object.keys(CORRECTION).map((name) => [name, OUTPUT_COLUMNS[name][row]]));
  correctionsOfGroups.get(group).set(marksWithLabel(OUTPUT_LABELS[group], label), correction);
});

function marksWithLabel(labels, label) {
  return String([...labels.keys()].filter((mark) => labels[mark] === label));
}

// A row for each cluster above the threshold, or one for a group without any.
function rowsWith(labels, group) {
  if (!LIVE.included[group]) return outputRowsOf(group);
  const known = sameLabels(labels, OUTPUT_LABELS[group]) ? outputRowsOf(group) : [];
  const rows = describeClusters(labels, distancesOf(group))
    .map((cluster) => ({
      ...cluster,
      group,
      threshold: cluster.marks / GROUPS.classifications[group],
      // Exact, so that a group that does not change shows the same numbers.
      consensus: known.find(({ label }) => label === cluster.label)?.consensus ?? cluster.consensus,
      ...(correctionsOfGroups.get(group)?.get(marksWithLabel(labels, cluster.label)) ?? CORRECTION),
    }))
    .filter(({ threshold }) => threshold > LIVE.minThreshold);
  return rows.length ? rows : [rowWithoutCluster(group)];
}

function showSettings(settings) {
  const before = tried;
  tried = settings === null || isOutput(settings) ? null : settings;
  if (tried === null && before === null) return showPanel();
  if (tried === null) {
    setColumns(OUTPUT_COLUMNS, OUTPUT_LABELS);
  } else {
    const labels = OUTPUT_LABELS.map((_, group) => labelsWith(tried, group));
    setRows(labels.flatMap(rowsWith), labels);
  }
  document.body.classList.toggle("trying", tried !== null);
  showPanel();
  forgetCards();
  apply({ inPlace: true });
}

// What the rows of a clustering add up to.
function totals(rows, labels) {
  const clusters = rows.filter(({ label, correction }) => label >= 0 && correction !== "removed");
  return {
    clusters: clusters.length,
    outliers: labels.reduce((sum, ofGroup) => sum + ofGroup.reduce((number, label) => number + (label < 0), 0), 0),
    without: rows.filter(({ label }) => label < 0).length,
    consensus: median(clusters.map(({ consensus }) => consensus)),
    corrections: rows.filter(({ label, correction }) => label >= 0 && correction !== null).length,
  };
}

const MEASURES = ["clusters", "outliers", "without", "consensus", "corrections"];
const formatMeasure = (name, value) => (value === null ? "none" : name === "consensus" ? value.toFixed(3) : formatNumber(value));

function shownRows() {
  return CLUSTERS.label.map((label, row) => ({ label, consensus: CLUSTERS.consensus[row], correction: CLUSTERS.correction[row] }));
}

function showPanel() {
  const { eps, minSamples } = settingsShown();
  EPS.value = eps;
  MIN_SAMPLES.value = minSamples;
  // A field in which somebody types keeps the text.
  const shownEps = tried === null ? LIVE.eps : eps / 1000;
  if (document.activeElement !== EPS_NUMBER || EPS_NUMBER.valueAsNumber !== shownEps) EPS_NUMBER.value = shownEps;
  if (document.activeElement !== MIN_SAMPLES_NUMBER) MIN_SAMPLES_NUMBER.value = minSamples;
  byId("back-to-output").disabled = tried === null;
  byId("as-output").hidden = tried !== null;
  byId("not-as-output").hidden = tried === null;
  const now = tried === null ? LIVE.totals : totals(shownRows(), GROUPS.labels);
  for (const name of MEASURES) {
    const cell = byId(`tried-${name}`);
    cell.textContent = formatMeasure(name, now[name]);
    cell.classList.toggle("differs", cell.textContent !== byId(`output-${name}`).textContent);
  }
  showCurves();
  showUse();
}

// The command and the lines of a configuration with these settings.
function showUse() {
  const { minSamples } = settingsShown(), eps = tried === null ? LIVE.eps : tried.eps / 1000;
  const reduce = `polyframe reduce ${LIVE.output} --eps ${eps} --min-samples ${minSamples}`;
  byId("use").replaceChildren(
    make("p", { class: "hint" }, "In a terminal:"),
    copyable(DATA.contours ? `${reduce}\npolyframe contours ${LIVE.output}` : reduce),
    make("p", { class: "hint" }, "Or in the configuration of the next run:"),
    copyable(`reducer_config:\n  polygon_reducer:\n    average_type: ${LIVE.averageType}\n    eps: ${eps}\n    min_samples: ${minSamples}`));
}

function chooseEps(thousandths) {
  if (!(thousandths >= 1 && thousandths <= 1000)) return;
  showSettingsSoon({ ...settingsShown(), eps: Math.round(thousandths) });
}

function chooseMinSamples(number) {
  if (Number.isInteger(number) && number >= 1) showSettingsSoon({ ...settingsShown(), minSamples: number });
}

let settingsWaiting = 0;
function showSettingsSoon(settings) {
  cancelAnimationFrame(settingsWaiting);
  settingsWaiting = requestAnimationFrame(() => showSettings(settings));
}

function startLiveSettings() {
  if (LIVE.unavailable) return;
  const largest = GROUPS.classifications.reduce((most, number) => Math.max(most, number), LIVE.minSamples);
  MIN_SAMPLES.max = MIN_SAMPLES_NUMBER.max = Math.max(Math.min(largest, 20), LIVE.minSamples, 2);
  for (const name of MEASURES) byId(`output-${name}`).textContent = formatMeasure(name, LIVE.totals[name]);
  EPS.addEventListener("input", () => chooseEps(EPS.valueAsNumber));
  EPS_NUMBER.addEventListener("input", () => chooseEps(1000 * EPS_NUMBER.valueAsNumber));
  MIN_SAMPLES.addEventListener("input", () => chooseMinSamples(MIN_SAMPLES.valueAsNumber));
  MIN_SAMPLES_NUMBER.addEventListener("input", () => chooseMinSamples(MIN_SAMPLES_NUMBER.valueAsNumber));
  byId("back-to-output").addEventListener("click", () => {
    showSettings(null);
    EPS.focus();
  });
  showPanel();
  watchCurves();
}
