// The list of clusters: a card for each cluster that the filters choose, all of them in the page, so that a search
// in the page and printing reach every one. Batches of cards far from the viewport are not laid out, and have no
// pictures.

const BATCH = 12; // cards, which fill their rows in one to four columns
const FIRST = 48, MOST_AT_ONCE = 960; // cards
const USUAL_LIMIT = 2000; // by default a report has no more clusters
const CARDS = new Array(COUNT);
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

function cardOf(cluster) {
  return (CARDS[cluster] ??= newCard(cluster));
}

function newCard(cluster) {
  const group = CLUSTERS.group[cluster], anchor = anchorOf(cluster), subject = subjectOf(cluster);
  const of = DATA.subjects[subject].clusters, consensus = CLUSTERS.consensus[cluster];
  const card = CARD.cloneNode(true);
  const [head, meter, pictures, counts, place] = card.children;
  const link = head.firstChild.firstChild;
  card.id = anchor;
  card.cluster = cluster;
  link.href = pictures.href = `#${anchor}`;
  link.textContent = `Subject ${subject}, cluster ${CLUSTERS.label[cluster]}`;
  link.setAttribute("aria-label", `${link.textContent}, frame ${frameOf(cluster)}, ${toolOf(cluster)}`);
  head.lastChild.lastChild.textContent = consensus.toFixed(2);
  meter.firstChild.setAttribute("width", (100 * Math.min(Math.max(consensus, 0), 1)).toFixed(1));
  const outliers = several(GROUPS.outliers[group], "outlier");
  counts.append(
    `${several(CLUSTERS.marks[cluster], "mark")} of ${several(GROUPS.classifications[group], "classification")}, `,
    GROUPS.outliers[group] ? make("span", { class: "some" }, outliers) : outliers);
  place.append(
    `${toolOf(cluster)}, frame ${frameOf(cluster)}`,
    CLUSTERS.average[cluster] ? "" : DATA.level ? `, no ${DATA.level}` : ", empty average");
  if (of > 1) place.append(", ", make("a", { href: `#subject-${subject}` }, `${several(of, "cluster")} of this subject`));
  return card;
}

function drawPictures(card) {
  const pictures = card.querySelector(".pictures");
  if (pictures.firstChild) return;
  pictures.append(picture(card.cluster, "outlines", { close: byId("closeup").checked }));
  if (DATA.contours) pictures.append(picture(card.cluster, "contours", { close: true }));
}

function removePictures(card) {
  card.querySelector(".pictures").replaceChildren();
}

function showCards(clusters) {
  inView.disconnect();
  shown = clusters;
  made = 0;
  atOnce = FIRST;
  byId("cards").replaceChildren();
  moreCards();
  // The others lose their pictures; the observer reports those that are near.
  for (const batch of near) for (const card of batch.cards) if (!card.isConnected) removePictures(card);
  near.clear();
  moreCardsSoon();
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
