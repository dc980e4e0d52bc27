// The dialog of one cluster, or of a group without one: its picture, its row in the tables, its marks, and the other
// clusters of its subject.

const DIALOG = byId("details");
const setRatio = propertyOf("#details", "--ratio");
let current = null;

// Only the clusters of the output have a row in its tables.
const isInTables = (row) => hasLabel(row) && CLUSTERS.type[row] !== null;

function keysOf(row) {
  return {
    workflow_id: [GROUPS.workflow[CLUSTERS.group[row]]],
    subject_id: [subjectOf(row)],
    task: taskOf(row),
    frame: [String(frameOf(row))],
    tool: toolOf(row),
    ...(isInTables(row) ? { cluster_label: [String(CLUSTERS.label[row])] } : {}),
  };
}

// Numbers are strings within a list, since a browser rounds large numbers.
const isNumber = (value) => Array.isArray(value);

const tableOf = (row) => (isInTables(row) ? "reductions" : "labels");

function pythonOf(row) {
  const keys = Object.entries(keysOf(row)).map(([name, value]) =>
    `    ${name}=${isNumber(value) ? value[0] : JSON.stringify(value)},`);
  return `pf.scan("out", "${tableOf(row)}").filter(\n${keys.join("\n")}\n).collect()`;
}

function sqlOf(row) {
  const keys = Object.entries(keysOf(row)).map(([name, value]) =>
    `${name} = ${isNumber(value) ? value[0] : `'${value.replaceAll("'", "''")}'`}`);
  return `SELECT * FROM 'out/${tableOf(row)}/*.parquet'\nWHERE ${keys.join("\n  AND ")}`;
}

function showDetails(row) {
  current = row;
  const consensus = hasLabel(row) ? `consensus ${CLUSTERS.consensus[row].toFixed(3)}` : "nobody agrees";
  byId("details-name").textContent = `Subject ${subjectOf(row)}, ${nameOf(row)}: ${consensus}`;
  const place = shown.indexOf(row);
  byId("previous").disabled = place <= 0;
  byId("next").disabled = place < 0 || place + 1 >= shown.length;
  const ratio = proportions(imageOf(row));
  setRatio(ratio);
  const large = picture(row, "outlines", { close: true, single: true, ratio });
  large.setAttribute("role", "img");
  large.setAttribute("aria-label", described(row, "outlines"));
  const body = byId("details-body");
  body.replaceChildren(
    make("p", { class: "hint" }, `Frame ${frameOf(row)}, ${toolName(row)}: ${described(row, "outlines").toLowerCase()}${sentenceOfCorrection(row)}`),
    make("div", { class: "enlarged" }, make("div", { class: "stage" }, large), views(large)),
    make("div", { class: "columns" },
      make("div", {}, keysBox(row), siblingsBox(row), subjectBox(row)),
      make("div", {}, marksBox(row, large), levelsBox(row))));
  if (!DIALOG.open) DIALOG.showModal();
  DIALOG.scrollTop = 0;
  byId("details-name").focus({ preventScroll: true });
}

function sentenceOfCorrection(row) {
  if (CLUSTERS.correction[row] === null) return "";
  return isRemoved(row)
    ? `; ${correctionOf(row)}: it is not an object, and in no export`
    : `; ${correctionOf(row)}${tried === null ? ": the polygon of table corrections replaces the average" : ""}`;
}

function views(svg) {
  const choices = [["outlines", "Outlines"], ...(hasContours(svg.row) ? [["contours", "Contours"]] : [])];
  const buttons = choices.map(([kind, name]) => {
    const button = make("button", { type: "button", "aria-pressed": String(svg.kind === kind) }, name);
    button.addEventListener("click", () => {
      drawKind(svg, kind);
      svg.setAttribute("aria-label", described(svg.row, kind));
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
  const scale = hasContours(svg.row)
    ? make("p", { class: "scale", hidden: svg.kind !== "contours" },
      "none", make("span", { class: "key heat" }), "all classifications", CLUSTERS.correction[svg.row] === null && !DATA.level ? " (line: majority)" : "")
    : null;
  return make("div", { class: "views" }, ...buttons, close, scale);
}

function keysBox(row) {
  const facts = Object.entries(keysOf(row)).map(([name, value]) => [name, isNumber(value) ? value[0] : value]);
  facts.push(...figuresOf(row), ...wordsOf(row));
  const rows = facts.map(([name, value]) => make("tr", {}, make("th", { scope: "row" }, name), make("td", {}, String(value))));
  const inTables = isInTables(row);
  return make("section", {},
    make("h3", {}, inTables ? "Row in the tables" : hasLabel(row) ? "With these settings" : "Group in the tables"),
    tableBox("Row in the tables", null, rows),
    make("details", {},
      make("summary", {}, "Look it up in Python or SQL"),
      make("p", { class: "hint" }, inTables
        ? "The same keys select it in contours; without cluster_label, they select its group in groups, labels and extractions."
        : "These keys select its group in labels, groups and extractions."),
      copyable(pythonOf(row)), copyable(sqlOf(row))));
}

// What the project calls the task and the tool, and the answers of the volunteers.
function wordsOf(row) {
  const { tasks, tools } = DATA.words, answers = CLUSTERS.answers[row];
  return [
    ...(Object.hasOwn(tasks, taskOf(row)) ? [["the task", tasks[taskOf(row)]]] : []),
    ...(Object.hasOwn(tools, toolOf(row)) ? [["the tool", tools[toolOf(row)]]] : []),
    ...(answers === null ? [] : [["the answers", answers]]),
  ];
}

function figuresOf(row) {
  const classifications = ["n_classifications", GROUPS.classifications[CLUSTERS.group[row]]];
  if (!hasLabel(row)) return [classifications];
  const figures = [
    ["clusters_count", CLUSTERS.marks[row]],
    classifications,
    ["threshold", CLUSTERS.threshold[row].toFixed(3)],
  ];
  if (!isInTables(row)) return [...figures, ["consensus", CLUSTERS.consensus[row].toFixed(3)]];
  figures.push(
    ["consensus", CLUSTERS.consensus[row].toFixed(6)],
    ["average_type", CLUSTERS.type[row]],
    ["area", `${formatNumber(CLUSTERS.area[row])} square pixels`]);
  const expected = CLUSTERS.expected[row], votes = CLUSTERS.votes[row];
  if (expected !== null) figures.push(["expected_iou", expected.toFixed(6)], ["classifications_needed", CLUSTERS.needed[row]]);
  if (votes !== null) figures.push(["details_votes", votes]);
  if (CLUSTERS.correction[row] !== null) {
    const by = CLUSTERS.correctedBy[row];
    if (by !== null) figures.push(["corrected_by", by]);
    figures.push(["corrected_at", CLUSTERS.correctedAt[row]]);
  }
  return figures;
}

// A table that scrolls on a small screen, also by keyboard.
function tableBox(name, heads, rows, classes = "wide") {
  const table = make("table", {},
    make("caption", {}, make("span", { class: "unseen" }, name)),
    heads ? make("thead", {}, make("tr", {}, ...heads.map((head) => (head instanceof Element ? head : make("th", { scope: "col" }, head))))) : null,
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

function siblingsBox(row) {
  const subject = subjectOf(row), of = numberOfClusters(subject);
  const items = rowsOfSubject(subject).filter((other) => other !== row).map((other) =>
    make("li", {}, make("a", { href: `#${anchorOf(other)}` }, `frame ${frameOf(other)}, ${toolName(other)}, ${nameOf(other)}`),
      isRemoved(other) ? ": removed" : isCluster(other) ? `: ${CLUSTERS.consensus[other].toFixed(2)}` : ""));
  const left = of - clustersOfSubject(subject).length;
  return make("section", {},
    make("h3", {}, "Other clusters of this subject"),
    items.length ? make("ul", { id: `subject-${subject}` }, ...items) : make("p", {}, left ? "None in this report." : "There are none."),
    left ? make("p", { class: "hint" }, `${several(left, "cluster")} with higher consensus ${left === 1 ? "is" : "are"} not in this report.`) : null,
    items.length ? make("p", {}, make("a", { href: `#subject-${subject}` }, "Show them side by side")) : null);
}

function subjectBox(row) {
  const subject = subjectOf(row), image = imageOf(row);
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

function marksBox(row, svg) {
  const group = CLUSTERS.group[row], label = CLUSTERS.label[row];
  const marks = GROUPS.labels[group].map((_, k) => k)
    .filter((k) => GROUPS.labels[group][k] === label || GROUPS.labels[group][k] < 0)
    .sort((a, b) => (GROUPS.labels[group][b] >= 0) - (GROUPS.labels[group][a] >= 0) || a - b);
  const rows = marks.map((k) => {
    const layer = GROUPS.labels[group][k] < 0 ? "outlier" : "outline";
    const light = make("button", { type: "button", class: "light", "aria-pressed": "false" },
      make("span", { class: `key ${layer}` }), layer === "outlier" ? "outlier" : "mark");
    const tableRow = make("tr", {}, make("td", {}, light), make("td", {}, volunteerOfMark(group, k)),
      make("td", {}, GROUPS.classificationIds[group][k]), make("td", {}, String(GROUPS.markIndexes[group][k])));
    const show = (lit) => svg.querySelector(`[data-mark="${k}"]`)?.classList.toggle("lit", lit);
    light.addEventListener("click", () => {
      if (!svg.lit.delete(k)) svg.lit.add(k);
      light.setAttribute("aria-pressed", String(svg.lit.has(k)));
      show(svg.lit.has(k));
    });
    tableRow.addEventListener("mouseenter", () => show(true));
    tableRow.addEventListener("mouseleave", () => show(svg.lit.has(k)));
    return tableRow;
  });
  return make("section", {},
    make("h3", {}, "Marks, and outliers of the group"),
    make("p", { class: "hint" }, "Point at a row, or press its button, to highlight the outline. The keys are those of extractions and labels."),
    tableBox("Marks, and outliers of the group", ["kind", "volunteer", "classification_id", "mark_index"], rows, "wide tall marks"));
}

function levelsBox(row) {
  if (!DATA.contours || !isInTables(row)) return null;
  const numbers = CLUSTERS.levelNumbers[row], of = GROUPS.classifications[CLUSTERS.group[row]];
  const rows = CLUSTERS.levelAreas[row].map((area, k) => {
    const key = draw("svg", { class: "key patch", "aria-hidden": "true" });
    draw("rect", { width: "100%", height: "100%", fill: heatColour(numbers[k] / of) }, key);
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
