// The TypeScript SDK v2, in the era asked for.
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { asked, judge } from "./judge.mjs";

const mode = asked.era === "modern" ? { pin: "2026-07-28" } : "legacy";
const client = new Client({ name: "judge-v2", version: "1.0.0" }, { versionNegotiation: { mode } });
client.judge = { schema: [] };
const transport = asked.url
  ? new StreamableHTTPClientTransport(new URL(asked.url), { requestInit: { headers: asked.headers } })
  : new StdioClientTransport({ command: asked.command, args: asked.args, env: asked.env });
await client.connect(transport);
await judge(client, () => client.getNegotiatedProtocolVersion?.());
