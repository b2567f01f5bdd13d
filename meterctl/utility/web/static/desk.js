// Shorter ways on the pages; every page works without this file.
"use strict";

// F2 goes to the field of the page, or to the counter.
document.addEventListener("keydown", (event) => {
  if (event.key !== "F2") return;
  event.preventDefault();
  const field = document.querySelector("[data-f2]");
  if (field) field.focus();
  else location.assign("/counter");
});

// What is live on a page is read again until it is settled.
const live = document.querySelector("[data-live]");
if (live) {
  const again = async () => {
    try {
      const answer = await fetch(live.dataset.live, { headers: { Accept: "text/html" } });
      if (answer.ok) {
        const text = await answer.text();
        if (text !== live.dataset.last) {
          live.innerHTML = text;
          live.dataset.last = text;
        }
        // Settled: the whole page says what may be done now.
        if (!live.querySelector("[data-waits]")) return location.reload();
      }
    } catch {
      // The next look may succeed.
    }
    setTimeout(again, 1500);
  };
  if (live.querySelector("[data-waits]")) setTimeout(again, 700);
}

// A page that is to be printed is printed when it stands, and its button prints it again.
for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => print());
}

// A page that the button Back brings back as it was is asked for again: a sale may be made by now.
addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload();
});
