// What each member used in the last seven days, the newest runs included.
const { RUNS_URL, RUNS_KEY } = process.env;
const answer = await fetch(`${RUNS_URL}/api/v1/usage/by/member?period=7d`, {
  headers: { Authorization: `Bearer ${RUNS_KEY}` },
});
if (!answer.ok) throw new Error(await answer.text());
console.log(JSON.stringify(await answer.json(), null, 2));
