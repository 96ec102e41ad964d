// Give credits once, however often this is sent; then ask what is left. Needs a key with the scope admin.
const { RUNS_URL, RUNS_KEY } = process.env;
const headers = { Authorization: `Bearer ${RUNS_KEY}`, "Content-Type": "application/json" };

async function ask(path, options = {}) {
  const answer = await fetch(RUNS_URL + path, { ...options, headers: { ...headers, ...options.headers } });
  if (!answer.ok) throw new Error(await answer.text());
  return answer.json();
}

const order = { credits: "100", kind: "purchase", note: "order 1001" };
const once = { "Idempotency-Key": "order-1001-js" };
console.log(await ask("/api/v1/grants", { method: "POST", headers: once, body: JSON.stringify(order) }));
console.log(await ask("/api/v1/balance"));
