// Signs a browser in and out. What a link holds is taken out of the address at once, so that no history keeps it.

const find = (id) => document.getElementById(id);
const link = new URLSearchParams(location.hash.slice(1)).get("signin");
if (link) history.replaceState(null, "", location.pathname);

async function session(method, body) {
  const reply = await fetch("/api/v1/session", {
    method,
    headers: body ? { "content-type": "application/json" } : {},
    body: body && JSON.stringify(body),
  });
  const said = reply.status === 204 ? null : await reply.json();
  return { status: reply.status, said };
}

function show({ status, said }, tried) {
  const known = status === 200;
  find("who").textContent = known
    ? said.access ? `You are signed in as ${said.name}.` : "Everyone who reaches this server may use it."
    : "You are not signed in.";
  find("sign-in").hidden = known || invited;
  find("join").hidden = known || !invited;
  find("sign-out").hidden = !(known && said.access);
  find("problem").hidden = known || !tried;
  find("problem").textContent = known || !tried ? "" : said.error.message;
}

let invited = false;

async function open() {
  if (link) {
    const reply = await session("POST", { link });
    invited = reply.said?.error?.details?.field === "name" || reply.said?.error?.code === "name_taken";
    show(reply, !invited);
  } else {
    show(await session("GET"), false);
  }
}

find("sign-in").addEventListener("submit", async (event) => {
  event.preventDefault();
  const { token, name, passphrase } = Object.fromEntries(new FormData(event.target));
  show(await session("POST", token ? { token } : { name, passphrase }), true);
});
find("join").addEventListener("submit", async (event) => {
  event.preventDefault();
  show(await session("POST", { link, name: new FormData(event.target).get("name") }), true);
});
find("sign-out").addEventListener("click", async () => {
  await session("DELETE");
  show(await session("GET"), false);
});

await open();
