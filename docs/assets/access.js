// What the theme leaves out for those who read by keyboard or by ear.
(() => {
  // A table wider than its box scrolls; by keyboard only if it can be focused.
  const boxes = () => {
    for (const box of document.querySelectorAll(".md-typeset .md-typeset__scrollwrap")) {
      if (box.closest(".rows")) continue;
      if (box.scrollWidth > box.clientWidth) {
        box.tabIndex = 0;
        box.setAttribute("role", "group");
        box.setAttribute("aria-label", "Table, wider than the screen");
      } else {
        for (const name of ["tabindex", "role", "aria-label"]) box.removeAttribute(name);
      }
    }
  };

  // The box of a copy button is no place to navigate to, as its element says.
  const buttons = () => {
    for (const nav of document.querySelectorAll("nav.md-code__nav:not([role])")) {
      nav.setAttribute("role", "presentation");
    }
  };

  let asked = 0;
  const tidy = () => {
    asked ||= requestAnimationFrame(() => {
      asked = 0;
      boxes();
      buttons();
    });
  };

  document.querySelector(".md-search")?.setAttribute("aria-label", "Search");
  // The theme makes both after this script has run, some of them when they come into view.
  new MutationObserver(tidy).observe(document.body, { childList: true, subtree: true });
  addEventListener("resize", tidy);
  tidy();
})();
