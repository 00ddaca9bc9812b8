(function () {
  "use strict";
  const all = (selector, root) => Array.from((root || document).querySelectorAll(selector));
  const byId = (id) => document.getElementById(id);

  // Sorting: a header's button sorts its table's ranked rows; what has no value comes last.
  function sortBy(head) {
    const table = head.closest("table");
    const column = Array.from(head.parentNode.children).indexOf(head);
    const was = head.getAttribute("aria-sort");
    const opposite = was === "ascending" ? "descending" : "ascending";
    const now = was === "none" ? head.dataset.first : opposite;
    all("th", head.parentNode).forEach((other) => other.setAttribute("aria-sort", "none"));
    head.setAttribute("aria-sort", now);
    const sign = now === "ascending" ? 1 : -1;
    const isNumber = head.dataset.kind === "number";
    const key = (row) => row.children[column].dataset.sort;
    const compare = (a, b) => isNumber ? a - b : a.localeCompare(b, "en", { numeric: true });
    const body = table.querySelector("tbody.ranked");
    const rows = Array.from(body.rows).map((row) => ({ row, key: key(row) }));
    rows.sort((a, b) => {
      if (a.key === "" || b.key === "") return (a.key === "") - (b.key === "");
      return sign * compare(a.key, b.key);
    });
    body.append(...rows.map((item) => item.row));
  }
  all("thead th button").forEach((button) =>
    button.addEventListener("click", () => sortBy(button.parentNode)));

  // Filtering: all words of the text must occur in a row.
  function filter() {
    const words = byId("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
    const family = byId("family").value;
    const dataset = byId("dataset").value;
    const withoutBaselines = byId("baselines").checked;
    let shown = 0;
    let total = 0;
    all(".board").forEach((board) => {
      board.hidden = dataset !== "" && board.dataset.dataset !== dataset;
      let here = 0;
      all(".leaderboard .ranked tr", board).forEach((row) => {
        const fits = words.every((word) => row.dataset.text.includes(word)) &&
          (family === "" || row.dataset.family === family);
        row.hidden = !fits;
        here += fits ? 1 : 0;
        total += 1;
      });
      shown += board.hidden ? 0 : here;
      board.querySelector(".nothing").hidden = here > 0;
      all(".baselines", board).forEach((body) => { body.hidden = withoutBaselines; });
    });
    byId("count").textContent = shown + " of " + total + " rows";
  }
  all("#tools input, #tools select").forEach((control) => control.addEventListener("input", filter));
  byId("tools").addEventListener("submit", (event) => event.preventDefault());
  byId("tools").hidden = false;
  byId("baselines").checked = false;
  filter();

  // What is large comes packed: base64 of gzip. Nothing is fetched.
  function unpacked(id) {
    const bytes = Uint8Array.from(atob(byId(id).textContent), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).text();
  }
  function run(text) {
    const script = document.createElement("script");
    script.textContent = text;
    document.head.append(script);
  }

  // Charts are drawn one after another in the reader's colours, again when these change.
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  function draw(place, data) {
    const theme = dark.matches ? "dark" : "light";
    const config = structuredClone(data.themes[theme]);
    if (place.clientWidth < 480) config.legend.columns = 2;
    return window.vegaEmbed(place, structuredClone(data.specs[place.dataset.spec]), {
      config: config,
      renderer: "svg",
      ast: true,
      tooltip: { theme: theme },
      actions: { export: true, source: false, compiled: false, editor: false },
      downloadFileName: place.dataset.spec.replace(/[^\w-]+/g, "_"),
    }).then(() => { place.dataset.drawn = "yes"; });
  }
  const failed = (place) => (error) => {
    place.textContent = "This chart could not be drawn: " + error.message;
  };
  async function drawAll(data) {
    for (const place of all(".chart")) await draw(place, data).catch(failed(place));
  }
  async function start() {
    if (!byId("packed-vega")) return;
    run(await unpacked("packed-vega"));
    const data = JSON.parse(await unpacked("packed-data"));
    await drawAll(data);
    dark.addEventListener("change", () => drawAll(data));
  }
  start().catch((error) => all(".chart").forEach((place) => failed(place)(error)));
})();
