// The list of clusters: a card for each cluster that the filters choose, all of them in the page, so that a search
// in the page and printing reach every one. Batches of cards far from the viewport are not laid out, and have no
// pictures.

const BATCH = 12; // cards, which fill their rows in one to four columns
const FIRST = 48, MOST_AT_ONCE = 960; // cards
const USUAL_LIMIT = 2000; // by default a report has no more clusters
let cardsOfRows = [];
const setHeightOfBatches = propertyOf("#cards", "--batch-height");
let shown = [], made = 0, atOnce = FIRST, waitingForCards = 0;

// Each card is a copy of this one.
const CARD = make("article", { class: "card" },
  make("div", { class: "card-head" },
    make("h3", {}, make("a")),
    make("p", { class: "consensus" }, make("span", {}, "consensus "), make("strong"))),
  draw("svg", { class: "meter", viewBox: "0 0 100 1", preserveAspectRatio: "none", "aria-hidden": "true" }),
  // Not for screen readers: the lines below say the same.
  make("a", { class: "pictures", tabindex: -1, "aria-hidden": "true" }),
  make("p", { class: "facts" }),
  make("p", { class: "facts" }));
draw("rect", { height: 1 }, CARD.querySelector(".meter"));

function cardOf(row) {
  return (cardsOfRows[row] ??= newCard(row));
}

// The rows are others now.
function forgetCards() {
  cardsOfRows = [];
}

function newCard(row) {
  const anchor = anchorOf(row), subject = subjectOf(row), consensus = CLUSTERS.consensus[row];
  const card = CARD.cloneNode(true);
  const [head, meter, pictures, counts, place] = card.children;
  const link = head.firstChild.firstChild;
  card.id = anchor;
  card.row = row;
  card.group = CLUSTERS.group[row];
  card.label = CLUSTERS.label[row];
  card.classList.toggle("without-cluster", !hasLabel(row));
  card.classList.toggle("removed-cluster", isRemoved(row));
  link.href = pictures.href = `#${anchor}`;
  link.textContent = `Subject ${subject}, ${nameOf(row)}`;
  link.setAttribute("aria-label", `${link.textContent}, frame ${frameOf(row)}, ${toolName(row)}`);
  if (hasLabel(row)) head.lastChild.lastChild.textContent = consensus.toFixed(2);
  else head.lastChild.replaceChildren("nobody agrees");
  meter.firstChild.setAttribute("width", (100 * Math.min(Math.max(consensus, 0), 1)).toFixed(1));
  counts.append(...supportOf(row));
  place.append(`${toolName(row)}, frame ${frameOf(row)}`, averageNote(row), ...othersOf(row));
  const correction = CLUSTERS.correction[row];
  if (correction !== null) {
    card.append(make("p", { class: "facts correction" }, correctionBadge(correction), correctionOf(row).slice(correction.length)));
  }
  return card;
}

// How many marks and classifications agree, and how many marks of the group do not.
function supportOf(row) {
  const group = CLUSTERS.group[row], outliers = several(GROUPS.outliers[group], "outlier");
  const classifications = several(GROUPS.classifications[group], "classification");
  const first = hasLabel(row)
    ? `${several(CLUSTERS.marks[row], "mark")} of ${classifications}`
    : `${several(GROUPS.paths[group].length, "mark")} of ${classifications}, none in a cluster`;
  if (!hasLabel(row)) return [first];
  if (!GROUPS.outliers[group]) return [first];
  const inGroup = rowsOfSubject(subjectOf(row)).filter((other) => CLUSTERS.group[other] === group).length;
  return [`${first}, `, make("span", { class: "some" }, inGroup > 1 ? `${outliers} in the group` : outliers)];
}

// A coloured word: `number` of "corrected" or "removed".
function correctionBadge(kind, number = null) {
  return make("span", { class: `badge ${kind}` }, number === null ? kind : `${formatNumber(number)} ${kind}`);
}

function averageNote(row) {
  if (!isCluster(row) || CLUSTERS.average[row] || CLUSTERS.area[row] === null) return "";
  return DATA.level ? `, no ${DATA.level}` : ", empty average";
}

function othersOf(row) {
  const subject = subjectOf(row), of = numberOfClusters(subject);
  if (of < (isCluster(row) ? 2 : 1)) return [];
  return [", ", make("a", { href: `#subject-${subject}` }, `${several(of, "cluster")} of this subject`)];
}

// Including those that are not in the report.
function numberOfClusters(subject) {
  return tried === null ? DATA.subjects[subject].clusters : clustersOfSubject(subject).length;
}

function drawPictures(card) {
  const pictures = card.querySelector(".pictures");
  if (pictures.firstChild) return;
  pictures.append(picture(card.row, "outlines", { close: byId("closeup").checked }));
  // A close-up instead of the contours that a cluster does not have, or not with the settings that are tried.
  if (DATA.contours) pictures.append(picture(card.row, hasContours(card.row) ? "contours" : "outlines", { close: true }));
}

function removePictures(card) {
  card.querySelector(".pictures").replaceChildren();
}

// Shows cards of some rows; `inPlace` keeps the card at the top of the window there.
function showCards(rows, { inPlace = false } = {}) {
  const top = inPlace ? topCard() : null;
  inView.disconnect();
  shown = rows;
  made = 0;
  atOnce = FIRST;
  byId("cards").replaceChildren();
  moreCards();
  if (top) showAgain(top);
  // The others lose their pictures; the observer reports those that are near.
  for (const batch of near) for (const card of batch.cards) if (!card.isConnected) removePictures(card);
  near.clear();
  moreCardsSoon();
}

// The first card in the window: its group and label, its place, and how many cards precede it.
function topCard() {
  const batch = [...near].filter((one) => one.getBoundingClientRect().bottom > 0)
    .reduce((first, one) => (!first || one.compareDocumentPosition(first) & Node.DOCUMENT_POSITION_FOLLOWING ? one : first), null);
  const card = batch?.cards.find((one) => one.getBoundingClientRect().bottom > 0);
  return card ? { group: card.group, label: card.label, top: card.getBoundingClientRect().top, before: shown.indexOf(card.row) } : null;
}

function showAgain({ group, label, top, before }) {
  cardsUpTo(before + FIRST);
  const isOfGroup = (row) => CLUSTERS.group[row] === group;
  const same = shown.findIndex((row) => isOfGroup(row) && CLUSTERS.label[row] === label);
  const place = same < 0 ? shown.findIndex(isOfGroup) : same;
  if (place < 0) return;
  cardsUpTo(place + FIRST);
  const card = cardOf(shown[place]), moveBack = () => scrollBy(0, card.getBoundingClientRect().top - top);
  moveBack();
  // At once, so that they do not flicker.
  const inWindow = ({ top: from, bottom: to }) => to > 0 && from < innerHeight;
  const batches = [...byId("cards").children].filter((batch) => inWindow(batch.getBoundingClientRect()));
  for (const batch of batches) batch.cards.forEach(drawPictures);
  moveBack();
}

function moreCards() {
  const end = Math.min(made + atOnce, shown.length);
  const batches = [];
  for (; made < end; made += BATCH) {
    const batch = make("div", { class: "batch" });
    batch.cards = shown.slice(made, made + BATCH).map(cardOf);
    batch.append(...batch.cards);
    batches.push(batch);
  }
  made = Math.min(made, shown.length);
  byId("cards").append(...batches);
  for (const batch of batches) inView.observe(batch);
  atOnce = Math.min(2 * atOnce, MOST_AT_ONCE);
}

// The other cards follow between other work, so that the page answers at once.
function moreCardsSoon() {
  clearTimeout(waitingForCards);
  if (made === shown.length) return;
  waitingForCards = setTimeout(() => {
    moreCards();
    moreCardsSoon();
  });
}

function cardsUpTo(number) {
  while (made < Math.min(number, shown.length)) moreCards();
}

const near = new Set();
const inView = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting, boundingClientRect } of entries) {
      // The others are probably as high; measuring them would force a layout of the page.
      if (target === byId("cards").firstChild) setHeightOfBatches(`${boundingClientRect.height}px`);
      if (isIntersecting) {
        near.add(target);
        target.cards.forEach(drawPictures);
      } else {
        near.delete(target);
        if (!onPaper) target.cards.forEach(removePictures);
      }
    }
  },
  { rootMargin: "900px 0px" },
);
