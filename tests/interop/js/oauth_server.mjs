// An authorization server of others (oidc-provider): discovery, dynamic registration, PKCE, signed JWT access tokens for
// the resource that is asked for. Its own development pages let anybody sign in under any name.
import Provider from "oidc-provider";

const [port, resource] = process.argv.slice(2);
const issuer = `http://127.0.0.1:${port}`;

const provider = new Provider(issuer, {
  clients: [],
  scopes: ["openid", "offline_access", "jobs"],
  features: {
    devInteractions: { enabled: true },
    registration: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => resource,
      useGrantedResource: () => true,
      getResourceServerInfo: (ctx, asked) => ({
        scope: "jobs",
        audience: asked,
        accessTokenFormat: "jwt",
        accessTokenTTL: 300,
        jwt: { sign: { alg: "RS256" } },
      }),
    },
  },
});

provider.listen(Number(port), "127.0.0.1", () => console.log(`ready at ${issuer}`));
