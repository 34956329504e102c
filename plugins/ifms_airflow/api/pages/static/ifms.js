// Airflow's colours, a button that can be pressed once, what is ticked, and a look at the DAG run that a page waits for.
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
