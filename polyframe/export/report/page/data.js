"use strict";
// The data of the page, and functions to look things up in it.

const DATA = JSON.parse(document.getElementById("data").textContent);
const GROUPS = DATA.groups, IMAGES = DATA.images;
const GROUP_COUNT = GROUPS.image.length;

// The clusters that are shown, as columns. Each group without a cluster has a row, too, whose label is -1. Other
// settings replace these columns, and `labels` and `outliers` of GROUPS.
const CLUSTERS = {};
const countRows = () => CLUSTERS.label.length;

const byId = (id) => document.getElementById(id);
const formatNumber = new Intl.NumberFormat("en").format;
const several = (number, thing) => `${formatNumber(number)} ${thing}${number === 1 ? "" : "s"}`;
// A row is of a cluster, which somebody may have removed since it is not an object, or of a group without one.
const hasLabel = (row) => CLUSTERS.label[row] >= 0;
const isRemoved = (row) => CLUSTERS.correction[row] === "removed";
const isCluster = (row) => hasLabel(row) && !isRemoved(row);
const imageOf = (row) => GROUPS.image[CLUSTERS.group[row]];
const subjectOf = (row) => IMAGES.subject[imageOf(row)];
const frameOf = (row) => IMAGES.frame[imageOf(row)];
const toolOf = (row) => GROUPS.tool[CLUSTERS.group[row]];
const taskOf = (row) => GROUPS.task[CLUSTERS.group[row]];
// The project's words for tools and tasks, by their keys.
const wordFor = (words, key) => (Object.hasOwn(words, key) ? words[key] : key);
const toolName = (row) => wordFor(DATA.words.tools, toolOf(row));
const nameOf = (row) => (hasLabel(row) ? `cluster ${CLUSTERS.label[row]}` : "no cluster");

// Text is always set as text, so that no data is interpreted as HTML.
function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

function groupedBy(items, keyOf) {
  const groups = new Map();
  for (const item of items) {
    const key = keyOf(item);
    if (!groups.has(key)) groups.set(key, []);
    groups.get(key).push(item);
  }
  return groups;
}

function median(numbers) {
  const sorted = Float64Array.from(numbers).sort(), middle = sorted.length >> 1;
  if (!sorted.length) return null;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

function anchorOf(row) {
  const label = hasLabel(row) ? CLUSTERS.label[row] : "none";
  return `cluster-${subjectOf(row)}-${frameOf(row)}-${encodeURIComponent(toolOf(row))}-${label}`;
}

// What a cluster has that only the tables know; a row without them has these.
const ONLY_IN_TABLES = {
  type: null, area: null, expected: null, needed: null, votes: null, answers: null, average: "", levels: [], levelNumbers: [], levelAreas: [],
};
// Who corrected or removed a cluster, and when, if anybody did.
const CORRECTION = { correction: null, correctedBy: null, correctedAt: null };

// Shows rows of `group`, `label`, `marks`, `threshold`, `consensus` and maybe the columns of the tables, sorted by group
// and label. `labels` are those of the marks of each group.
function setRows(rows, labels) {
  const others = { ...ONLY_IN_TABLES, ...CORRECTION };
  const names = ["group", "label", "marks", "threshold", "consensus", ...Object.keys(others)];
  for (const name of names) CLUSTERS[name] = rows.map((row) => row[name] ?? others[name] ?? null);
  GROUPS.labels = labels;
  GROUPS.outliers = labels.map((ofGroup) => ofGroup.reduce((sum, label) => sum + (label < 0), 0));
  rowsByAnchor = rowsBySubject = null;
}

let rowsByAnchor = null, rowsBySubject = null;

function rowAt(anchor) {
  rowsByAnchor ??= new Map(CLUSTERS.label.map((_, row) => [anchorOf(row), row]));
  return rowsByAnchor.get(anchor);
}

function rowsOfSubject(subject) {
  rowsBySubject ??= groupedBy(CLUSTERS.label.keys(), subjectOf);
  return rowsBySubject.get(subject) ?? [];
}

// Such as "corrected by Ada, 2026-11-02 09:30 UTC".
function correctionOf(row) {
  const by = CLUSTERS.correctedBy[row];
  return `${CLUSTERS.correction[row]}${by === null ? "" : ` by ${by}`}, ${CLUSTERS.correctedAt[row]}`;
}

const clustersOfSubject = (subject) => rowsOfSubject(subject).filter(isCluster);

const OUTPUT_LABELS = GROUPS.labels;
const OUTPUT_ROWS = outputRows();

// The rows of the output: its clusters that are in the report, and its groups without a cluster.
function outputRows() {
  const { place, ...columns } = { ...DATA.clusters, answers: DATA.words.votes };
  const rows = place.map((_, k) => Object.fromEntries(Object.entries(columns).map(([name, values]) => [name, values[k]])));
  const withClusters = new Set(columns.group);
  for (let group = 0; group < GROUP_COUNT; group++) {
    if (!withClusters.has(group)) rows.push(rowWithoutCluster(group));
  }
  return rows.sort((a, b) => a.group - b.group || a.label - b.label);
}

function rowWithoutCluster(group) {
  return { group, label: -1, marks: 0, threshold: 0, consensus: null };
}

setRows(OUTPUT_ROWS, OUTPUT_LABELS);
