// An AI tool in JavaScript, with nothing but node (18 or later): the longest run of dry days in a rain gauge's record.
import { createServer } from "node:http";
import { parseArgs } from "node:util";

const BASE = process.env.IVCAP_BASE_URL; // the platform, as this tool's jobs see it
const TOOL = {
  $schema: "urn:sd-core:schema.ai-tool.1",
  name: "dry_run_js",
  description: "Find the longest run of dry days in a daily rain record.",
  fn_schema: {
    type: "object",
    properties: {
      series: { type: "string", pattern: "^urn:", description: "URN of a CSV artifact: date, rain_mm." },
      dry_below_mm: { type: "number", minimum: 0, default: 1, description: "Less rain than this: a dry day." },
    },
    required: ["series"],
  },
};

async function ask(path, options = {}) {
  const reply = await fetch(path.startsWith("http") ? path : BASE + path, options);
  if (!reply.ok) throw new Error(`${path.split("/").slice(-2).join("/")}: HTTP ${reply.status}`);
  return reply;
}

const post = (path, value, headers = {}) =>
  ask(path, { method: "POST", body: JSON.stringify(value), headers: { "Content-Type": "application/json", ...headers } });

async function dryRun(job, { series, dry_below_mm = 1 }) {
  const artifact = await (await ask(`/1/artifacts/${encodeURIComponent(series)}`)).json();
  const lines = (await (await ask(artifact["data-href"])).text()).trim().split(/\r?\n/).slice(1);
  const rain = lines.map((line) => Number(line.split(",")[1]));
  if (rain.some(Number.isNaN)) throw new Error("rain_mm must be a number on every line"); // the job ends as failed
  await post(`/events/${job}`, {
    $schema: "urn:ivcap:schema:service.event.step.finish.1",
    name: "read",
    options: { message: `Read ${rain.length} days`, progress: 1, total: 1 },
  });
  let longest = 0, run = 0;
  for (const amount of rain) longest = Math.max(longest, (run = amount < dry_below_mm ? run + 1 : 0));
  return { days: rain.length, longest_dry_run: longest };
}

// A job is answered with 204, "the result follows", and reported when it is there.
async function work(job, request) {
  try {
    await post(`/results/${job}`, await dryRun(job, request), { "Is-Error": "False" });
  } catch (problem) {
    console.error(problem);
    const told = { $schema: "urn:ivcap:schema.service.error.1", error: problem.message, type: problem.name };
    await post(`/results/${job}`, told, { "Is-Error": "True" });
  }
}

const server = createServer(async (request, response) => {
  const send = (status, value, headers = {}) =>
    response.writeHead(status, { "Content-Type": "application/json", ...headers }).end(value && JSON.stringify(value));
  if (request.method === "GET") {
    if (request.url === "/_healtz") return send(200, { version: "1" });
    return request.url === "/" ? send(200, TOOL) : send(404, { message: "there is nothing here" });
  }
  let body = "";
  for await (const piece of request) body += piece;
  const job = request.headers["job-id"].split(":").pop();
  response.writeHead(204, { "Ivcap-Self-Report-Result": "true" }).end();
  await work(job, JSON.parse(body));
});

const { values } = parseArgs({ options: { host: { type: "string" }, port: { type: "string" } } });
server.listen(Number(values.port), values.host);
