"use strict";
// The study still trains: the page is read again, but not while somebody is at one of its controls.
setInterval(() => {
  const at = document.activeElement;
  const busy = at && at.matches("input, select, summary, button, svg");
  if (!busy && !document.hidden) location.reload();
}, 15000);
