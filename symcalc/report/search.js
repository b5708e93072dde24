addEventListener("DOMContentLoaded", () => {
  const line = document.getElementById("search-line");
  const field = document.getElementById("search");
  const count = document.getElementById("search-count");
  const rows = [...document.querySelectorAll("tbody tr")];
  const show = () => {
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    let found = 0;
    for (const row of rows) {
      const family = row.closest("section").querySelector("h2").textContent;
      const text = `${row.textContent} ${row.dataset.name || ""} ${family}`.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
      found += !row.hidden;
    }
    for (const section of document.querySelectorAll("section")) {
      const inside = [...section.querySelectorAll("tbody tr")];
      section.hidden = words.length > 0 && inside.length > 0 && inside.every((row) => row.hidden);
    }
    count.textContent = words.length ? `${found} of ${rows.length}` : "";
  };
  line.hidden = false;
  field.addEventListener("input", show);
  show();
});
