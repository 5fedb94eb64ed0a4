"use strict";
const part = (id) => document.getElementById(id);
const words = JSON.parse(part("words").textContent);
const token = location.hash.slice(1);
let told = token ? null : { key: "no_link" };

function show() {
  const chosen = document.documentElement.lang;
  const say = words[chosen];
  for (const id of ["title", "rules", "new", "again", "send"]) part(id).textContent = say[id];
  document.title = say.title;
  part("switch").textContent = say.other;
  part("told").textContent = told ? say[told.key] || told.text : "";
  if (told && told.login) part("told").textContent = say.done.replace("{login}", told.login);
  part("told").className = told && told.login ? "done" : "";
  part("form").hidden = Boolean(told && (told.login || told.over || told.key === "no_link"));
}

part("switch").addEventListener("click", (event) => {
  event.preventDefault();
  document.documentElement.lang = document.documentElement.lang === "en" ? "zh" : "en";
  show();
});

part("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  if (part("first").value !== part("second").value) {
    told = { key: "different" };
    return show();
  }
  part("send").disabled = true;
  try {
    told = await redeem(part("first").value);
  } catch {
    told = { key: "away" };
  }
  part("send").disabled = false;
  show();
});

async function redeem(password) {
  // The page's own path: a relative "password:redeem" would be read as a scheme.
  const answer = await fetch(location.pathname + ":redeem", {
    method: "POST",
    headers: { "Content-Type": "application/json", "Accept-Language": document.documentElement.lang },
    body: JSON.stringify({ token, new_password: password }),
  });
  const said = await answer.json();
  if (answer.ok) {
    history.replaceState(null, "", location.pathname);
    return { login: said.member.login };
  }
  const reasons = (said.errors || []).map((error) => error.message);
  return { text: reasons.join("\n") || said.detail, over: answer.status === 401 };
}

show();
