// People by command: who is refused what, and in which words.
import { assertEquals, assertStringIncludes } from "../support/assert.ts";
import { database } from "../support/functions.ts";
import { account, address, changesNothing, command, removeAccounts, run } from "../support/operators.ts";
import { MUNICIPALITIES, person } from "../support/stack.ts";

const MBOMBELA = MUNICIPALITIES.mbombela.id;

Deno.test("what is refused changes nothing, and says what to do", async () => {
  const theirs = await account("theirs", { tenant_id: MUNICIPALITIES.polokwane.id, role: "manager" });
  const squatted = await account("squatted", {}, { email_confirm: false });
  const outsider = await account("outsider");
  const to = ["--municipality", "mbombela", "--role", "field_worker"];
  const fresh = address("fresh");
  const refusals: [words: string[], says: string][] = [
    [
      ["add", fresh, "--municipality", "mbombela", "--role", "superadmin"],
      "There is no role superadmin. There is: citizen",
    ],
    [
      ["add", fresh, "--municipality", "atlantis", "--role", "manager"],
      "There is no municipality atlantis. There is: ",
    ],
    [["add", fresh, "--municipality", "mbombela"], "npm run people -- list"],
    [
      ["add", theirs.email, ...to],
      `manager of polokwane already. To move them: npm run people -- change ${theirs.email} --municipality mbombela`,
    ],
    [
      ["add", theirs.email, "--municipality", "polokwane", "--role", "admin"],
      `To change that: npm run people -- change ${theirs.email} --role admin`,
    ],
    [["add", squatted.email, ...to], "never confirmed the address, so it may not be theirs"],
    [["add", crypto.randomUUID(), ...to], "There is no account"],
    [["add", "nobody", ...to], "nobody is neither an e-mail address"],
    [["add", "\u0430dmin@people.example", ...to], "(in plain letters)"],
    [["add", "x\u001b[2J@people.example", ...to], "x\\u{1b}[2J@people.example is neither"],
    [["add", fresh, ...to, "--by", "Thabo\u202e"], "--by must be"],
    [["change", address("unknown"), "--role", "manager"], "There is no account"],
    [["change", outsider.email, "--role", "manager"], "belongs to no municipality. npm run people -- add"],
    [["change", theirs.email, "--municipality", "mbombela"], "Say also which role they have in mbombela"],
    [["change", theirs.email], "npm run people -- list"],
    [["remove", outsider.email], "belongs to no municipality"],
    [["remove", theirs.email, "--municipality", "polokwane"], "npm run people -- list"],
    [["list", "somebody"], "npm run people -- list"],
    [["list", "--municipality", "atlantis"], "There is no municipality atlantis"],
    [["constructor"], "npm run people -- list"],
    [[], "npm run people -- list"],
  ];
  await changesNothing(async () => {
    for (const [words, says] of refusals) {
      const { code, text } = await command("people", ...words);
      assertEquals(code, 2, `${words}: ${text}`);
      assertStringIncludes(text, says);
    }
  });
});

Deno.test("where Auth does not invite, nothing is changed, and the words say why", async () => {
  const answers: [status: number, code: string, says: string][] = [
    [429, "over_email_send_rate_limit", "it has sent as many e-mails as it may for now"],
    [400, "email_address_not_authorized", "writes to the project's team alone"],
    [422, "something\u001b[2J", "something\\u{1b}[2J 422"],
  ];
  const words = ["people", "add", address("fresh"), "--municipality", "mbombela", "--role", "manager"];
  await changesNothing(async () => {
    for (const [status, code, says] of answers) {
      const auth = Deno.serve(
        { port: 0, hostname: "127.0.0.1", onListen: () => {} },
        () => Response.json({ code: status, error_code: code, msg: code }, { status }),
      );
      const { code: exit, text } = await run(words, { SUPABASE_URL: `http://127.0.0.1:${auth.addr.port}` });
      await auth.shutdown();
      assertEquals(exit, 2, text);
      assertStringIncludes(text, says);
      assertStringIncludes(text, "Nothing was changed.");
    }
    const keyless = await run(words, {
      SUPABASE_SECRET_KEYS: '{"default":"sb_secret_other"}',
      SUPABASE_SECRET_KEY: "sb_secret_other",
    });
    assertEquals(keyless.code, 2);
    assertStringIncludes(keyless.text, "SUPABASE_SECRET_KEY is not this project's");
    const silent = await run(words, { SUPABASE_URL: "http://127.0.0.1:9" });
    assertEquals(silent.code, 2);
    assertStringIncludes(silent.text, "it does not answer");
  });
});

Deno.test("no API role writes a record of a command's", async () => {
  const admin = await person("admin");
  for (const role of ["anon", "authenticated", "service_role"]) {
    for (
      const statement of [
        "select private.record_operator_event($1::uuid, 'person_changed', '{}', 'me')",
        "select private.record_user_event($1::uuid, 'person_changed', '{}')",
      ]
    ) {
      const error = await database((sql) =>
        sql.begin(async (tx) => {
          const claims = { sub: admin.userId, role, app_metadata: { tenant_id: MBOMBELA, role: "admin" } };
          await tx`select set_config('request.jwt.claims', ${
            JSON.stringify(claims)
          }, true), set_config('role', ${role}, true)`;
          await tx.unsafe(statement, [MBOMBELA]);
        }).then(() => undefined, (error) => error)
      );
      assertEquals(error?.code, "42501", `${role}: ${statement}`);
    }
  }
});

Deno.test("the test's own accounts go", removeAccounts);
