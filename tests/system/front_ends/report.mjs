// Runs one front end from the command line: NODE FRONT_END.mjs SERVER JSON, and prints what it showed, as JSON.

export async function report(show) {
  const [server, given] = process.argv.slice(2);
  process.stdout.write(JSON.stringify(await show(server, JSON.parse(given))));
}
