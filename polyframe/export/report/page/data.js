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
const formatLarge = new Intl.NumberFormat("en").format;
// Thousands of small numbers, which `Intl` would take long to format.
const formatNumber = (number) => (Number.isInteger(number) && Math.abs(number) < 1000 ? String(number) : formatLarge(number));
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

const inNaturalOrder = new Intl.Collator("en", { numeric: true }).compare;

// Numbers or texts in order; missing values are the last in both directions.
function compareValues(a, b, descending = false) {
  if (a === null || b === null) return (a === null) - (b === null);
  const order = typeof a === "string" ? inNaturalOrder(a, b) : a - b;
  return descending ? -order : order;
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
  type: null, area: null, expected: null, needed: null, votes: null, answers: null, average: "", majority: null, levels: [], levelNumbers: [], levelAreas: [],
};
// Who corrected or removed a cluster, and when, if anybody did.
const CORRECTION = { correction: null, correctedBy: null, correctedAt: null };

const BY_DEFAULT = { group: null, label: -1, marks: 0, threshold: 0, consensus: null, ...ONLY_IN_TABLES, ...CORRECTION };
const COLUMNS = Object.keys(BY_DEFAULT);

// Shows rows of `group`, `label`, `marks`, `threshold`, `consensus` and maybe the columns of the tables, sorted by group
// and label. `labels` are those of the marks of each group.
function setRows(rows, labels) {
  setColumns(Object.fromEntries(COLUMNS.map((name) => [name, rows.map((row) => row[name] ?? BY_DEFAULT[name])])), labels);
}

function setColumns(columns, labels) {
  Object.assign(CLUSTERS, columns);
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
const OUTPUT_COLUMNS = outputColumns();

// Columns of the output: its clusters that are in the report, and its groups without a cluster.
function outputColumns() {
  const columns = { ...DATA.clusters, answers: DATA.words.votes };
  const ofCluster = new Set(columns.group), count = columns.group.length;
  const groups = columns.group.concat([...GROUPS.image.keys()].filter((group) => !ofCluster.has(group)));
  const order = [...groups.keys()].sort((a, b) => groups[a] - groups[b] || columns.label[a] - columns.label[b]);
  const column = (name) => order.map((row) => (row < count ? columns[name][row] : BY_DEFAULT[name]));
  return { ...Object.fromEntries(COLUMNS.map((name) => [name, column(name)])), group: order.map((row) => groups[row]) };
}

function rowWithoutCluster(group) {
  return { group, label: -1, marks: 0, threshold: 0, consensus: null };
}

setColumns(OUTPUT_COLUMNS, OUTPUT_LABELS);
