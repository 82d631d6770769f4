import { writeFile } from "node:fs/promises";
import { inflateSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { collect, tempDir } from "../../../test/temp-dir.js";
import { writeRecords } from "../../write/write-records.js";
import { readParquet } from "./parquet.js";

/**
 * The rows below as pyarrow writes them in pages of 16 bytes, without an offset index, packed by zlib:
 * pq.write_table(table, file, data_page_version=…, data_page_size=16, write_batch_size=3,
 * use_dictionary=…, write_statistics=False, store_schema=False).
 */
const FILES: Record<string, string> = {
  "version 1.0": [
    "eNqVlc9P02AYx9+3e/duq52MhaeupIdhpEEzyLp1v8iC0xgyEg7EELJ4W8YWSLZBx1BPhpMxxkTikYMHT3Ixhj/AC1ePHj37B3g0",
    "xvi+b7t2FRBYlq5P9/k+P75Pu609eGwCgkewnAGZnVCgOkLodkpix5BOMG3MrCDMgn1+aPpnDF6HYgYUX3VvSqiWME0pxCHDTBJe",
    "khGDtjid8GnLof8wOjFOdwQ9hIcZSPr0oh5ix/BPHMGRuc36O4LQGc31KlzQ/eL53V/Qz2/Rz8zKuf1cr0IDGoEdZPwdRPkOopu2",
    "aZu86umxycqhsZCpXkAtUOy+twxdIZTjOSylHD73cpJXPMBQDhhW8wwjzDCatvMOnz+Kc/4Qw5OACfWxpVjOUkRjlm3haeX02JLw",
    "BCrG4qjYGSVYChSsewVrCSKkJbvk1CydTHBJHzqBsUqeh6Oxyt5YZXyL2JVY3Kpwxq44VytM/BXDWqDzztj6ss76YsJSM8Ycd0w1",
    "fwESxjbOM5Z1UFdISIhyriJHEZ5Q8raZjydRfjnJ5RnIZpjUk6vrQk75/vlLcj//gxIXCV+ORlwkejkqu8gNH9UhnQHiozctgUpx",
    "H6nz22ws250qRyjmqxi2nw/TWZDnTC/KXUWSZxLLiwpXkRSZpORFZUau8p+wMYlR+0dSiUzKWTMbGcUmf2rKUA1MrHe5imCfyvmn",
    "eSDamwJK0b3WVrvXBIoKUgr3QAK6WmVUgaRId3tvCBL/ItLutnvt/hAIAmWWgYNZtMprOFFrFBEe9d2rQ/eqqmu6tmogHRRtliKt",
    "jnsi9SgpHoCkDtSPUfUVNaIrurhTE6iqdjVD39A2EBu7y124OENLZPghq58ixiEdS/EhdDYHETlYn0ykq69D6vuQ8SXuimRUvUs1",
    "Q04GCrJhBHxE1ANifE/4sPoZa4xHYtCTaVU3ouq3KTSX3m0O7P32cL61uzvfHAx2nqWftgd72zv9dK6wkF0wNe6N90Zv2TO0xv7A",
    "/gLmkM9V",
  ].join(""),
  "version 1.0, dictionaries": [
    "eNqtVc1rG0cUfzPzdrW7kmxZydtqy1KUVFkcIxutPvwRhGlLDzboYHrwuUYRJGA7lqx8QG7JNYcQcvAx9JZSSgkhhBzTY0spPfWQ",
    "P6CHUkpPORTTN7ta29uNTQ5Z9N5o5v3e7zcz70m78flXISGdp0qPBygDODUBADe12yKgixTUyaESmWT6vDbzmWSvfNT+wjoI5TDq",
    "E7pYp8Ixano5Qq1qX0Ch5hJMKYM51L7EmG8TNTOjJiO1q8Bq8gOqncJz5STPHC3UqXyMoQ3F3vhX5PRwYf0R6l0dsWGGTWqPeGLn",
    "VgYzpb2F+i6Rfpf0VvSoHlXjO7Ghzz4Mh6HW/fFpaOppU0h7BptSzEDLLkLLmLfaw7Y9DW3Dh0VeWTR8a2m4xCtLxjosazgsG/Ow",
    "YhdxxRabGIa2QgTjrnHfGobN4jQ0jS8aYWsYtjAWar139atUS91jqXuyHlL9NZVQlTJUk4IoVf/pGaMCmks1wLm1dAMotco1AKrR",
    "bEqy/OVJSVQHBwdHsFIGNhFF9Yqf09muJGxvDg81W5PaqV7w/KQXRK4Rt4KhGq+tTx8kJ8HsSeJ2MNRIf0lwVgY3aQlDPf/NYRzS",
    "Q0Ff91hdd8UaCrAFSDuHgEULDLYcm8XmFK1uHuKnOBlZpkxu6mLtaiRjxn3Jv/9U1KnFUammdLJLH6fC+dk4zFWDs+Orx+KYEZco",
    "LV5+IukxN7wfHe2hqOkOHw/ujKsNciBka7K12NpsHbZFtiW2ZXJwJTdzFcOGl4fQy9ebuSQ3at93H8sUUtVO3zZfieoLHa+Qn4oX",
    "6nEc1S0LzgY8zR8D8P8AZMAbXRb0HnSgYu73rw12tsiEjqyIHZJk9roc7mAFt6/vj0nqQG6wPdgZ7I4JgQqXGDi6BL3oHyma9ZMZ",
    "6tnuZHU8WXV9z/d6AfhU8Dpglrw1sRNxJ6xiRNIduX8a7oEZdAPrst42sDK7Ep2HrrvtBf6mtwlcnW1mPIurH3H9YbnfW8FLK3hi",
    "Ztm+UVk6jOl495zvu78q97kKfp4OfplK5zvQvWx6gVNOb4NPG+X9je5bFbw4F9wrZ/LcH4THqRDdyeOPXD+w3H8IZqt7W6PhzcF4",
    "vr+3N781Gt24Xb01GO1fv7FbbXYWGguhp6/x6AOv+PW4wa/O/wAbRMBe",
  ].join(""),
  "version 2.0": [
    "eNqVlc9rE0EUx2c3s5tkTWwa8pYsLCWFdoloy/7KLwmhikgqPQSRIhKEkm6xkKRJmqpHTz0JSvHkUbx4E/HozX+lR0+eRKT4Znaz",
    "iXX7K2yy8yaf73fevLeTtO48tEAGF9w2KCACBQIJoFmdEBLTY4vrRMDRAfvYmo5QcQ+KbUghLeKbAp3nikaKLmR8TkKB1FAIso8Z",
    "mznNnmRocZbd4ew2yySLpIzsdZA5K/0UpO3mESUkQnEV9zBrOsvejsw6zITOZvJHkBbXz8jkKu5NaJ5VcTQnQ2toxfD+/ZN1KkRt",
    "H+zo2js5mcG2IOZ92j6cZ4sN4FZ0iVxTZALHp533aUa/EqB1Xg/KLZ6SO3R9mcs9ysk0Ke9MDMzo9epVLq0MK7608mWOCZ7Ck+jC",
    "3fQ3VBVE0xdU+Vq1ZNqt+SN/uoYm3wS4e17DHuWTvJJWMqZTv5bWbyC8ng+il3fWYlxiB7wtE2Eu5QwtJ50lzv0sEy/BUhtvfrHQ",
    "wG+kzBrOXmJwP5ukASFdSMYDInEhqQTEtSmZg1wbCTHYZECK6SmxBtU29wm8eBlkYWGJ9WDsvRwXTFCKVhjZl9I4qHHDqHQpTRk1",
    "lTCq8qPViNIUiiFVi88rpmXGJ7HFTorJHkQadtbfNBWmkD0dOkC11yWSl/c7z7we/saRkpgXeqy2G3WkSjRPu7v7YxDZF3Gv6/W8",
    "/hgogdQygqNlssHc/agziSiL+sHsOJhVdU3XNgyiQ0pblonWFHrcemIqjEBUR+qvuHosGYl1HZMnkCF1tasZ+qa2SXDXXfQ5x6HD",
    "Hb4q6lHc+CHNWHyI/e9BuQfmiSJdfRfDyzhJBSKF1G/ImqFk/1kQN8Phj1Q9pMZRZgqrnwUNecI3eqypupFQ3+ZIsTDYGg0PvPFK",
    "ZzBY2RqN9l4Unnuj/d29fsEurZqrlsZqE17kDR6hFv49/QUXedIG",
  ].join(""),
  "version 2.0, dictionaries": [
    "eNqlVU1oE1EQnvfevM1mm8RtyCxd2UPVuqi0kk2a/kgo6MlCDsVDTz1YYkChrU2aVsGjIB48FPHQo3hr6aGIJ/GkRz2JBxHPHj2L",
    "SHF2NxvbJBbBJbOP976Zb+bNN2QXrt4ICKlAIzVeIA9gjQkA2Axfy2RQnvJLZJFk1CaTMO8xoDx1Zh6EstghR7klyhCwi81OHYe5",
    "DAp1KYHtXvjQZngvoTd66aW6BUwv/5u+G41H4StJ9Gk6vcQlxNlzZESw/iX0mfmnGFbQ5cDeFBLxSIFmL5wzMWwP0mdJP0SNxqPe",
    "7osFpoVm0AwUr+92AyPcloRMD2NJimEop7NQ1hPmZHMyfQomtQdTfDKlPXO6Oc0n03oeZkJ3mNETMJvO4mxaLGIQpBUi6Af6odkM",
    "StlTUNLXikG5GZQxTlT+Fy1tsgc3W6rvuYRgULeVGn//kh0ccv4mp1JzAIwVqDA4B6qdnZ2ux6AsqF7zc5SjV1ZUXw8PQ46zdPYk",
    "ZbUqvjXPPUkqHqSuVi0JUcWRyyCFtXr10YKwim1BN2ucLxT5OgpIC5DpFAJmTdBsKTaTzcqa1SGIn2xn5QwWWXHbjCgDxBmMeMAy",
    "lBkESpWDZPz6URYEToTn/iTGTpu6sETJ2tFzSc94dL3oVttiLJzVduN+e7RIFgRsJbYy2yRbhW2KbZpthiycTQ3fwqDoDkHgDo2X",
    "UklsNIidK8Gxqgwh1diRmntRpeoCkiHth1FtmXAivjv0B8fu8MQ4Mv41FAPdJxUYMTbqtxur/P8HFTkiVsP+1aoMV3AEV+5stEmG",
    "QKqx0lhtrLUJgTLn2bF1HmohW7yrJzsMd2ud03bn1PFcz6354FHGrYBhu9fFasSdsIoWSaflHGjnlfarvnlxPJ5T4JdNBag6K67v",
    "LbqLwMKsMONJXPWIa990PqT8Tyn/je5ne6H66TCm4+o53nO+KGdP+Y9y/uPs8XgLqhcN17fyx8vg20ZxP9H5rvxvw/5Luy/OORAu",
    "h0LUkwPH8XzT2SnAhdH15VZzs9GeqK+vTyy3WnfvjW41Wht37q6NliqXi5cDN2xj9wev+Yu1wF+z3/wBwO4=",
  ].join(""),
};

const ROWS = Array.from({ length: 14 }, (_, i) => {
  const turns = [
    { r: "u", c: `q${i}`.repeat(1 + (i % 3)) },
    { r: "a", c: `é${i}` },
  ];
  const m = i % 5 === 0 ? [] : Array.from({ length: 1 + (i % 4) }, () => turns).flat();
  return { m, n: i % 3 === 0 ? null : i, t: `text ${i}` };
});
const STORED = ROWS.map((value, i) => ({ place: i + 1, value }));

describe("a parquet file read some rows at a time", () => {
  for (const [what, packed] of Object.entries(FILES)) {
    it(`gives the rows of pages without an index, ${what}`, async () => {
      await using files = await tempDir({});
      const file = files.path("a.parquet");
      await writeFile(file, inflateSync(Buffer.from(packed, "base64")));
      for (const windowBytes of [1, 300, 700, 1 << 20]) {
        expect(await collect(readParquet(file, { windowBytes }))).toEqual(STORED);
      }
    });
  }

  it("gives the rows of pages with an index, over groups of rows", async () => {
    await using files = await tempDir({});
    const file = files.path("a.parquet");
    const rows = Array.from({ length: 5000 }, (_, i) => ({ id: i, tags: [`a${i}`, "b"] }));
    await writeRecords(file, rows);
    const read = await collect(readParquet(file, { windowBytes: 10_000 }));
    expect(read.map((row) => "value" in row && row.value)).toEqual(rows);
  });
});
