// What a program with a TypeScript SDK does with our server, told as one JSON object of facts. Asserts nothing itself.
// The SDKs differ in how a client is made and in what errors look like; the calls are the same.

const LIMIT = 60_000; // milliseconds any request may take

export const asked = JSON.parse(process.env.JUDGE);

const call = (client, name, given, options = {}) =>
  client.callTool({ name, arguments: given }, ...client.judge.schema, { timeout: LIMIT, ...options });

async function failure(work) {
  try {
    return { answered: await work() };
  } catch (error) {
    return { code: error.code, message: String(error.message) };
  }
}

async function allTools(client) {
  const tools = [];
  let cursor;
  do {
    const page = await client.listTools(cursor === undefined ? undefined : { cursor });
    tools.push(...page.tools);
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  return tools.map((tool) => tool.name);
}

async function withProgress(client) {
  const progress = [];
  const result = await call(
    client,
    "rehearsal",
    { steps: asked.steps, seconds: 1, echo: { deep: [1, null, "ü"] } },
    { onprogress: (one) => progress.push(one) },
  );
  const told = progress.length;
  await new Promise((resolve) => setTimeout(resolve, 300)); // what comes after the answer would be a mistake
  return { progress, late: progress.length - told, result };
}

// Cancels as soon as the job has told its URN, then asks for the job by it.
async function aborted(client) {
  const stop = new AbortController();
  let job;
  const error = await failure(() =>
    call(
      client,
      "rehearsal",
      { seconds: 2, steps: 2 },
      {
        signal: stop.signal,
        onprogress: ({ message }) => {
          job ??= message?.match(/urn:ivcap:job:[0-9a-f-]{36}/)?.[0];
          if (job) stop.abort("the user pressed stop");
        },
      },
    ),
  );
  const later = job && (await call(client, "get_job", { job, wait: 20 }));
  return { job, error, later };
}

async function artifact(client) {
  const made = await call(client, "upload_artifact", { name: "note.txt", text: "three\nshort\nlines\n" });
  const link = made.content.find((block) => block.type === "resource_link");
  const listed = await client.listResources();
  const templates = await client.listResourceTemplates();
  return {
    made,
    read: await client.readResource({ uri: made.structuredContent.artifact }),
    link,
    listed: listed.resources.map((resource) => resource.uri),
    templates: templates.resourceTemplates.map((template) => template.uriTemplate),
    unknown: await failure(() => client.readResource({ uri: "urn:ivcap:artifact:00000000-0000-4000-8000-000000000000" })),
  };
}

export async function judge(client, version) {
  const facts = {
    server: client.getServerVersion(),
    capabilities: client.getServerCapabilities(),
    instructions: client.getInstructions(),
    version: version?.() ?? null,
    tools: await allTools(client),
    worked: await withProgress(client),
    list: await call(client, "rehearsal", { outcome: "list" }),
    failed: await call(client, "rehearsal", { outcome: "value_error" }),
    refused: await call(client, "rehearsal", { seconds: "soon" }),
    image: await call(client, "rehearsal", { outcome: "image" }),
    unknown: await failure(() => call(client, "no_such_tool", {})),
    aborted: await aborted(client),
    artifact: await artifact(client),
  };
  await client.close();
  console.log(JSON.stringify(facts));
}
