// Shows the rows of the record that the three choices ask for. Without it, every row shows.
(() => {
  const form = document.querySelector(".evidence form");
  if (!form) return;
  const rows = [...document.querySelectorAll(".evidence tbody tr")];
  const choices = [...form.querySelectorAll("select")];
  const count = form.querySelector("output");

  const filter = () => {
    let shown = 0;
    for (const row of rows) {
      row.hidden = choices.some(({ name, value }) => value && row.dataset[name] !== value);
      if (!row.hidden) shown += 1;
    }
    count.value = `${shown} of ${rows.length} outcomes`;
  };

  form.addEventListener("change", filter);
  form.addEventListener("submit", (event) => event.preventDefault());
  // A browser that comes back to the page has kept the choices.
  addEventListener("pageshow", filter);
  filter();
})();
