// Shows the cells whose names have every word of the filter. Without scripts all are shown.
const filter = document.getElementById("filter");
filter.addEventListener("input", () => {
  const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const row of document.querySelectorAll("[data-name]")) {
    const name = row.dataset.name.toLowerCase();
    row.hidden = !words.every((word) => name.includes(word));
    if (!row.hidden && row.tagName === "ARTICLE") shown += 1;
  }
  document.getElementById("shown").textContent = `${shown} shown`;
});
filter.closest("form").hidden = false;
