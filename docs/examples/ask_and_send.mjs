// Ask whether a run may start; then say what it used.
const { RUNS_URL, RUNS_KEY } = process.env;

async function post(path, body) {
  const answer = await fetch(RUNS_URL + path, {
    method: "POST",
    headers: { Authorization: `Bearer ${RUNS_KEY}`, "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  const said = await answer.json();
  if (!answer.ok) throw new Error(`${answer.status} ${said.code}: ${said.detail}`);
  return said;
}

const run = { id: `js-${crypto.randomUUID()}`, service: "search", member: "ana" };
console.log(await post("/api/v1/authorizations", { ...run, input_tokens: 1000 }));

const started = new Date();
// The work itself. Its run frees what was held and counts what was used.
const used = { started_at: started.toISOString(), duration_ms: Date.now() - started, input_tokens: 812 };
console.log(await post("/api/v1/runs", { ...run, ...used, status: "succeeded" }));
