import { makeCertificates, postgresBin, startPostgres, tempDir } from "@stagecraft/testing";
import { sql } from "kysely";
import { expect, it } from "vitest";
import { openStore } from "../src/store/open-store.js";

const bin = await postgresBin();

it.skipIf(!bin)(
  "speaks to PostgreSQL over TLS: its authority and its name are checked",
  async () => {
    await using files = await tempDir();
    makeCertificates(files.path);
    const pem = (name: string) => files.file(name);
    const tls = { certFile: pem("server.crt"), keyFile: pem("server.key") };
    await using server = await startPostgres(bin!, { tls });
    const urlOf = (ca: string, host = "127.0.0.1") => {
      const url = new URL(server.url);
      url.hostname = host;
      url.search = new URLSearchParams({ sslmode: "verify-full", sslrootcert: pem(ca) }).toString();
      return url.href;
    };
    await using database = await openStore({ url: urlOf("ca.crt") });
    const query = sql<{ ssl: boolean }>`select ssl from pg_stat_ssl where pid = pg_backend_pid()`;
    expect((await query.execute(database.db)).rows).toEqual([{ ssl: true }]);
    for (const [url, says] of [
      [urlOf("foreign.crt"), /certificate/],
      [urlOf("ca.crt", "127.0.0.2"), /altnames|IP: 127.0.0.2/],
      [server.url, /no encryption/],
    ] as const) {
      await expect(openStore({ url }).then((open) => open.close())).rejects.toThrow(says);
    }
  },
);
