// The list of clusters: cards, created in batches as the reader scrolls down.

const AT_ONCE = 48;
let shown = [], made = 0;

function card(cluster) {
  const group = CLUSTERS.group[cluster], anchor = anchorOf(cluster), subject = subjectOf(cluster);
  const of = DATA.subjects[subject].clusters, consensus = CLUSTERS.consensus[cluster];
  const close = byId("closeup").checked;
  const pictures = make("a", { class: "pictures", href: `#${anchor}`, tabindex: -1, "aria-hidden": true });
  pictures.append(picture(cluster, "outlines", { close }));
  if (DATA.contours) pictures.append(picture(cluster, "contours", { close: true }));
  pictures.querySelectorAll("svg").forEach((svg) => inView.observe(svg));
  const meter = make("div", { class: "meter", "aria-hidden": true }, make("i"));
  meter.firstChild.style.width = `${100 * Math.min(Math.max(consensus, 0), 1)}%`;
  return make("article", { class: "card", id: anchor },
    make("div", { class: "card-head" },
      make("h3", {}, make("a", { href: `#${anchor}` }, `Subject ${subject}, cluster ${CLUSTERS.label[cluster]}`,
        make("span", { class: "unseen" }, `, frame ${frameOf(cluster)}, ${toolOf(cluster)}`))),
      make("p", { class: "consensus" }, make("span", { class: "unseen" }, "consensus "), consensus.toFixed(2))),
    meter,
    pictures,
    make("p", { class: "facts" },
      `${several(CLUSTERS.marks[cluster], "mark")} of ${several(GROUPS.classifications[group], "classification")}, `,
      make("span", { class: GROUPS.outliers[group] ? "some" : "" }, several(GROUPS.outliers[group], "outlier"))),
    make("p", { class: "facts" },
      make("span", { class: "tool" }, toolOf(cluster)), `, frame ${frameOf(cluster)}`,
      CLUSTERS.average[cluster] ? null : DATA.level ? `, no ${DATA.level}` : ", empty average",
      of > 1 ? ", " : null,
      of > 1 ? make("a", { href: `#subject-${subject}` }, `${several(of, "cluster")} of this subject`) : null));
}

function showCards(clusters) {
  inView.disconnect();
  nearEnd.disconnect();
  shown = clusters;
  made = 0;
  byId("cards").replaceChildren();
  moreCards();
}

function moreCards() {
  nearEnd.disconnect();
  byId("cards").append(...shown.slice(made, made + AT_ONCE).map(card));
  made = Math.min(made + AT_ONCE, shown.length);
  const left = shown.length - made;
  byId("more").hidden = !left;
  byId("more").textContent = `Show ${Math.min(left, AT_ONCE)} more of ${left.toLocaleString("en")}`;
  // Observe again, since the observer reports changes only and the end may still be near.
  if (left) nearEnd.observe(byId("more"));
}

const nearEnd = new IntersectionObserver(
  (entries) => {
    if (entries.some((entry) => entry.isIntersecting)) moreCards();
  },
  { rootMargin: "1500px 0px" },
);
