// The dialog of one cluster: its picture, its row in the tables, its marks, and the other clusters of its subject.

const DIALOG = byId("details");
const setRatio = propertyOf("#details", "--ratio");
let current = null;

function rowOf(cluster) {
  return {
    workflow_id: [GROUPS.workflow[CLUSTERS.group[cluster]]],
    subject_id: [subjectOf(cluster)],
    task: taskOf(cluster),
    frame: [String(frameOf(cluster))],
    tool: toolOf(cluster),
    cluster_label: [String(CLUSTERS.label[cluster])],
  };
}

// Numbers are strings within a list, since a browser rounds large numbers.
const isNumber = (value) => Array.isArray(value);

function pythonOf(cluster) {
  const keys = Object.entries(rowOf(cluster)).map(([name, value]) =>
    `    ${name}=${isNumber(value) ? value[0] : JSON.stringify(value)},`);
  return `pf.scan("out", "reductions").filter(\n${keys.join("\n")}\n).collect()`;
}

function sqlOf(cluster) {
  const keys = Object.entries(rowOf(cluster)).map(([name, value]) =>
    `${name} = ${isNumber(value) ? value[0] : `'${value.replaceAll("'", "''")}'`}`);
  return `SELECT * FROM 'out/reductions/*.parquet'\nWHERE ${keys.join("\n  AND ")}`;
}

function showDetails(cluster) {
  current = cluster;
  byId("details-name").textContent =
    `Subject ${subjectOf(cluster)}, cluster ${CLUSTERS.label[cluster]}: consensus ${CLUSTERS.consensus[cluster].toFixed(3)}`;
  const place = shown.indexOf(cluster);
  byId("previous").disabled = place <= 0;
  byId("next").disabled = place < 0 || place + 1 >= shown.length;
  const ratio = proportions(imageOf(cluster));
  setRatio(ratio);
  const large = picture(cluster, "outlines", { close: true, single: true, ratio });
  large.setAttribute("role", "img");
  large.setAttribute("aria-label", described(cluster, "outlines"));
  const body = byId("details-body");
  body.replaceChildren(
    make("p", { class: "hint" }, `Frame ${frameOf(cluster)}, ${toolOf(cluster)}: ${described(cluster, "outlines").toLowerCase()}`),
    make("div", { class: "enlarged" }, make("div", { class: "stage" }, large), views(large)),
    make("div", { class: "columns" },
      make("div", {}, keysBox(cluster), siblingsBox(cluster), subjectBox(cluster)),
      make("div", {}, marksBox(cluster, large), levelsBox(cluster))));
  if (!DIALOG.open) DIALOG.showModal();
  DIALOG.scrollTop = 0;
  byId("details-name").focus({ preventScroll: true });
}

function views(svg) {
  const choices = [["outlines", "Outlines"], ...(DATA.contours ? [["contours", "Contours"]] : [])];
  const buttons = choices.map(([kind, name]) => {
    const button = make("button", { type: "button", "aria-pressed": String(svg.kind === kind) }, name);
    button.addEventListener("click", () => {
      drawKind(svg, kind);
      svg.setAttribute("aria-label", described(svg.cluster, kind));
      if (scale) scale.hidden = kind !== "contours";
      buttons.forEach((other) => other.setAttribute("aria-pressed", String(other === button)));
    });
    return button;
  });
  const close = make("button", { type: "button", "aria-pressed": "true" }, "Close-up");
  close.addEventListener("click", () => {
    const pressed = close.getAttribute("aria-pressed") !== "true";
    close.setAttribute("aria-pressed", String(pressed));
    setView(svg, pressed);
  });
  const scale = DATA.contours
    ? make("p", { class: "scale", hidden: svg.kind !== "contours" }, "one mark", make("span", { class: "key heat" }), "all marks of the cluster")
    : null;
  return make("div", { class: "views" }, ...buttons, close, scale);
}

function keysBox(cluster) {
  const group = CLUSTERS.group[cluster];
  const facts = Object.entries(rowOf(cluster)).map(([name, value]) => [name, isNumber(value) ? value[0] : value]);
  facts.push(
    ["clusters_count", CLUSTERS.marks[cluster]],
    ["n_classifications", GROUPS.classifications[group]],
    ["threshold", CLUSTERS.threshold[cluster].toFixed(3)],
    ["consensus", CLUSTERS.consensus[cluster].toFixed(6)],
    ["average_type", CLUSTERS.type[cluster]],
    ["area", `${formatNumber(CLUSTERS.area[cluster])} square pixels`]);
  const expected = CLUSTERS.expected[cluster];
  if (expected !== null) facts.push(["expected_iou", expected.toFixed(6)], ["classifications_needed", CLUSTERS.needed[cluster]]);
  const votes = CLUSTERS.votes[cluster];
  if (votes !== null) facts.push(["details_votes", votes]);
  const rows = facts.map(([name, value]) => make("tr", {}, make("th", { scope: "row" }, name), make("td", {}, String(value))));
  return make("section", {},
    make("h3", {}, "Row in the tables"),
    tableBox("Row in the tables", null, rows),
    make("details", {},
      make("summary", {}, "Look it up in Python or SQL"),
      make("p", { class: "hint" }, "The same keys select it in contours; without cluster_label, they select its group in groups, labels and extractions."),
      copyable(pythonOf(cluster)), copyable(sqlOf(cluster))));
}

// A table that scrolls on a small screen, also by keyboard.
function tableBox(name, heads, rows, classes = "wide") {
  const table = make("table", {},
    make("caption", {}, make("span", { class: "unseen" }, name)),
    heads ? make("thead", {}, make("tr", {}, ...heads.map((head) => make("th", { scope: "col" }, head)))) : null,
    make("tbody", {}, ...rows));
  const tabindex = table.querySelector("button") ? null : 0;
  return make("div", { class: classes, role: "group", "aria-label": name, tabindex }, table);
}

function copyable(text) {
  const block = make("pre", { tabindex: 0 }, text);
  const button = make("button", { type: "button", class: "copy" }, "Copy");
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch {
      // Some browsers do not let a local file copy; select the text instead.
      getSelection().selectAllChildren(block);
      button.textContent = "Selected";
    }
  });
  return make("div", { class: "copyable" }, block, button);
}

function siblingsBox(cluster) {
  const subject = subjectOf(cluster), of = DATA.subjects[subject].clusters;
  const items = BY_SUBJECT.get(subject).filter((other) => other !== cluster).map((other) =>
    make("li", {}, make("a", { href: `#${anchorOf(other)}` },
      `frame ${frameOf(other)}, ${toolOf(other)}, cluster ${CLUSTERS.label[other]}`), `: ${CLUSTERS.consensus[other].toFixed(2)}`));
  const left = of - items.length - 1;
  return make("section", {},
    make("h3", {}, "Other clusters of this subject"),
    items.length ? make("ul", { id: `subject-${subject}` }, ...items) : make("p", {}, left ? "None in this report." : "There are none."),
    left ? make("p", { class: "hint" }, `${several(left, "cluster")} with higher consensus ${left === 1 ? "is" : "are"} not in this report.`) : null,
    items.length ? make("p", {}, make("a", { href: `#subject-${subject}` }, "Show them side by side")) : null);
}

function subjectBox(cluster) {
  const subject = subjectOf(cluster), image = imageOf(cluster);
  const metadata = DATA.subjects[subject].metadata.map(([name, value]) =>
    make("tr", {}, make("th", { scope: "row" }, name), make("td", {}, value)));
  const outside = { target: "_blank", rel: "noopener noreferrer" };
  const links = [[`https://www.zooniverse.org/talk/subjects/${subject}`, "Talk page of the subject"]];
  if (IMAGES.address[image]) links.unshift([IMAGES.address[image], "The uploaded image"]);
  return make("section", {},
    make("h3", {}, "The subject"),
    metadata.length ? tableBox("Metadata of the subject", null, metadata) : null,
    make("p", { class: "hint" }, "On the web: "),
    make("ul", {}, ...links.map(([address, name]) => make("li", {}, make("a", { href: address, ...outside }, name)))));
}

function marksBox(cluster, svg) {
  const group = CLUSTERS.group[cluster], label = CLUSTERS.label[cluster];
  const marks = GROUPS.labels[group].map((_, k) => k)
    .filter((k) => GROUPS.labels[group][k] === label || GROUPS.labels[group][k] < 0)
    .sort((a, b) => (GROUPS.labels[group][b] >= 0) - (GROUPS.labels[group][a] >= 0) || a - b);
  const rows = marks.map((k) => {
    const layer = GROUPS.labels[group][k] < 0 ? "outlier" : "outline";
    const light = make("button", { type: "button", class: "light", "aria-pressed": "false" },
      make("span", { class: `key ${layer}` }), layer === "outlier" ? "outlier" : "mark");
    const row = make("tr", {}, make("td", {}, light),
      make("td", {}, GROUPS.classificationIds[group][k]), make("td", {}, String(GROUPS.markIndexes[group][k])));
    const show = (lit) => svg.querySelector(`[data-mark="${k}"]`)?.classList.toggle("lit", lit);
    light.addEventListener("click", () => {
      if (!svg.lit.delete(k)) svg.lit.add(k);
      light.setAttribute("aria-pressed", String(svg.lit.has(k)));
      show(svg.lit.has(k));
    });
    row.addEventListener("mouseenter", () => show(true));
    row.addEventListener("mouseleave", () => show(svg.lit.has(k)));
    return row;
  });
  return make("section", {},
    make("h3", {}, "Marks, and outliers of the group"),
    make("p", { class: "hint" }, "Point at a row, or press its button, to highlight the outline. The keys are those of extractions and labels."),
    tableBox("Marks, and outliers of the group", ["kind", "classification_id", "mark_index"], rows, "wide tall marks"));
}

function levelsBox(cluster) {
  if (!DATA.contours) return null;
  const numbers = CLUSTERS.levelNumbers[cluster];
  const rows = CLUSTERS.levelAreas[cluster].map((area, k) => {
    const key = draw("svg", { class: "key patch", "aria-hidden": "true" });
    draw("rect", { width: "100%", height: "100%", fill: heatColour(numbers[k] / CLUSTERS.marks[cluster]) }, key);
    return make("tr", {}, make("th", { scope: "row" }, key, String(numbers[k])), make("td", {}, formatNumber(area)));
  });
  return make("section", {},
    make("h3", {}, "Contours"),
    rows.length
      ? tableBox("Contours", ["marks (at least)", "area, square pixels"], rows, "wide tall")
      : make("p", {}, "There are no levels."));
}

function step(by) {
  const place = shown.indexOf(current) + by;
  if (shown.indexOf(current) < 0 || place < 0 || place >= shown.length) return;
  cardsUpTo(place + 1);
  history.replaceState(null, "", `#${anchorOf(shown[place])}`);
  showDetails(shown[place]);
}

byId("previous").addEventListener("click", () => step(-1));
byId("next").addEventListener("click", () => step(1));
byId("close").addEventListener("click", () => DIALOG.close());
DIALOG.addEventListener("click", (event) => {
  if (event.target === DIALOG) DIALOG.close();
});
DIALOG.addEventListener("keydown", (event) => {
  if (event.altKey || event.ctrlKey || event.metaKey || event.target.matches("pre, .wide")) return;
  if (event.key === "ArrowLeft") step(-1);
  if (event.key === "ArrowRight") step(1);
});
DIALOG.addEventListener("close", () => {
  const closed = current;
  current = null;
  if (location.hash.startsWith("#cluster-")) leaveHash();
  if (closed === null) return;
  const there = document.getElementById(anchorOf(closed));
  there?.scrollIntoView({ block: "nearest" });
  there?.querySelector("h3 a").focus({ preventScroll: true });
});
