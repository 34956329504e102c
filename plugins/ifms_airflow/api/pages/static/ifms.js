// Airflow's colours, a button that can be pressed once, wide tables for the keyboard, what is ticked, and a look at the DAG
// run that a page waits for.
"use strict";

(() => {
  const own = document.documentElement;
  const follow = () => {
    try {
      const theirs = window.parent.document.documentElement;
      if (window.parent === window) return;
      own.classList.toggle("dark", theirs.classList.contains("dark"));
      own.classList.toggle("light", theirs.classList.contains("light"));
    } catch { /* another site's frame: the system's wish counts */ }
  };
  follow();
  try {
    if (window.parent !== window) {
      new MutationObserver(follow).observe(window.parent.document.documentElement, { attributeFilter: ["class"] });
    }
  } catch { /* as above */ }

  for (const form of document.querySelectorAll('form[method="post"]')) {
    form.addEventListener("submit", () => setTimeout(() => {
      for (const button of form.querySelectorAll("button")) button.disabled = true;
    }));
  }
  window.addEventListener("pageshow", () => {
    for (const button of document.querySelectorAll("button:disabled")) button.disabled = false;
  });

  const reach = () => {  // what is wider than the screen is scrolled by the arrow keys
    for (const box of document.querySelectorAll(".scroll")) {
      const named = box.querySelector("caption")?.textContent ?? box.querySelector("[aria-label]")?.ariaLabel;
      const given = { tabindex: "0", role: "group", "aria-label": named?.trim() };
      for (const [name, value] of Object.entries(given)) {
        if (value && box.scrollWidth > box.clientWidth) box.setAttribute(name, value);
        else box.removeAttribute(name);
      }
    }
  };
  reach();
  window.addEventListener("resize", reach);

  const choice = document.getElementById("choice");
  if (choice) {
    const told = document.getElementById("ticked");
    const button = choice.querySelector("button");
    const rupees = new Intl.NumberFormat("en-IN", { minimumFractionDigits: 2 });
    const tell = () => {
      const ticked = [...choice.querySelectorAll("input:checked")];
      const paise = ticked.reduce((sum, box) => sum + Math.round(Number(box.dataset.amount) * 100), 0);
      told.textContent = told.dataset.text.replace("{n}", ticked.length).replace("{sum}", "₹" + rupees.format(paise / 100));
      button.disabled = ticked.length === 0;
    };
    choice.addEventListener("change", tell);
    window.addEventListener("pageshow", tell);  // a browser that goes back has kept what was ticked
  }

  const run = document.getElementById("run");
  if (run && !("over" in run.dataset)) {
    const look = async () => {
      try {
        const answer = await fetch(run.dataset.url, { headers: { Accept: "application/json" } });
        if (answer.ok) {
          const told = await answer.json();
          document.getElementById("run-text").textContent = told.text;
          if (told.over) { location.reload(); return; }
        }
      } catch { /* asked again */ }
      setTimeout(look, 2000);
    };
    setTimeout(look, 1500);
  }
})();
