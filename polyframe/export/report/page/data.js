"use strict";
// The data of the page, and functions to look things up in it.

const DATA = JSON.parse(document.getElementById("data").textContent);
const CLUSTERS = DATA.clusters, GROUPS = DATA.groups, IMAGES = DATA.images;
const COUNT = CLUSTERS.label.length;

const byId = (id) => document.getElementById(id);
const formatNumber = new Intl.NumberFormat("en").format;
const several = (number, thing) => `${formatNumber(number)} ${thing}${number === 1 ? "" : "s"}`;
const imageOf = (cluster) => GROUPS.image[CLUSTERS.group[cluster]];
const subjectOf = (cluster) => IMAGES.subject[imageOf(cluster)];
const frameOf = (cluster) => IMAGES.frame[imageOf(cluster)];
const toolOf = (cluster) => GROUPS.tool[CLUSTERS.group[cluster]];
const taskOf = (cluster) => GROUPS.task[CLUSTERS.group[cluster]];

// Text is always set as text, so that no data is interpreted as HTML.
function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

function anchorOf(cluster) {
  const parts = [subjectOf(cluster), frameOf(cluster), encodeURIComponent(toolOf(cluster)), CLUSTERS.label[cluster]];
  return `cluster-${parts.join("-")}`;
}

const BY_ANCHOR = new Map();
const BY_SUBJECT = new Map();
for (let cluster = 0; cluster < COUNT; cluster++) {
  BY_ANCHOR.set(anchorOf(cluster), cluster);
  const subject = subjectOf(cluster);
  if (!BY_SUBJECT.has(subject)) BY_SUBJECT.set(subject, []);
  BY_SUBJECT.get(subject).push(cluster);
}
for (const clusters of BY_SUBJECT.values()) clusters.sort((a, b) => CLUSTERS.place[a] - CLUSTERS.place[b]);
