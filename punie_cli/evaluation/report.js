"use strict";
const form = document.querySelector("form.filter");
const cases = [...document.querySelectorAll("details.case")];
const texts = new Map();

function text(element) {
  if (!texts.has(element)) texts.set(element, element.textContent.toLowerCase());
  return texts.get(element);
}

function filter() {
  const verdict = form.verdict.value, suite = form.suite.value;
  const words = form.words.value.toLowerCase().split(/\s+/).filter(Boolean);
  let count = 0;
  for (const each of cases) {
    const shown = (!verdict || each.dataset.verdict.split(" ").includes(verdict))
      && (!suite || each.dataset.suite === suite) && words.every((word) => text(each).includes(word));
    each.hidden = !shown;
    count += shown;
  }
  form.querySelector("output").textContent = `${count} of ${cases.length} cases`;
}

function follow() {
  const target = location.hash && document.getElementById(location.hash.slice(1));
  if (target && target.matches("details.case")) {
    target.hidden = false;
    target.open = true;
    target.scrollIntoView();
  }
}

form.hidden = false;
form.addEventListener("input", filter);
form.addEventListener("submit", (event) => event.preventDefault());
form.querySelector(".open").addEventListener("click", () => cases.forEach((each) => { each.open = true; }));
form.querySelector(".close").addEventListener("click", () => cases.forEach((each) => { each.open = false; }));
addEventListener("hashchange", follow);
filter();
follow();
