// The TypeScript SDK most hosts embed (v1): handshake era only.
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { asked, judge } from "./judge.mjs";

const client = new Client({ name: "judge-v1", version: "1.0.0" });
client.judge = { schema: [undefined] }; // its callTool takes a result schema before the options
const transport = asked.url
  ? new StreamableHTTPClientTransport(new URL(asked.url), { requestInit: { headers: asked.headers } })
  : new StdioClientTransport({ command: asked.command, args: asked.args, env: asked.env });
await client.connect(transport);
await judge(client, () => transport.protocolVersion);
