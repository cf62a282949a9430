// The command line and what it leaves behind: nothing, however it ends.
import { assert, assertEquals, assertMatch } from "../support/assert.ts";
import { existsSync } from "node:fs";
import { join } from "node:path";

const main = new URL("../../local/main.ts", import.meta.url).pathname;
const deno = Deno.execPath();
const local = [deno, "run", "--no-check", "-A", main];

/** A stand-in running `sleep`, as a process group of its own like a shell's job, and what belongs to it. */
interface Standin {
  process: Deno.ChildProcess;
  /** The stand-in's own process, which `process` may have started. */
  pid: number;
  directory: string;
  url: string;
  stderr: () => string;
}

async function startStandin(command: string[]): Promise<Standin> {
  const process = new Deno.Command(command[0]!, {
    args: command.slice(1),
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    detached: true,
  }).spawn();
  let errors = "";
  (async () => {
    for await (const text of process.stderr.pipeThrough(new TextDecoderStream())) errors += text;
  })();
  let output = "";
  for await (const text of process.stdout.pipeThrough(new TextDecoderStream())) {
    output += text;
    if (output.includes("\n")) break;
  }
  assert(output, `it did not start: ${errors}`);
  const [directory, url, pid] = output.trim().split(" ") as [string, string, string];
  return { process, directory, url, pid: Number(pid), stderr: () => errors };
}

// Says where it runs, then stays; the mark and the URL are in its environment, its parent is the stand-in.
const report = ["sh", "-c", 'echo "$LOCAL_SUPABASE_RUN $SUPABASE_URL $PPID"; exec sleep 300'];

/** Ids of the processes that carry a run's mark. */
function processesOf(directory: string): number[] {
  const found: number[] = [];
  for (const entry of Deno.readDirSync("/proc")) {
    if (!/^\d+$/.test(entry.name)) continue;
    try {
      const environment = Deno.readTextFileSync(`/proc/${entry.name}/environ`);
      const command = Deno.readTextFileSync(`/proc/${entry.name}/cmdline`);
      if (environment.includes(directory) || command.includes(directory)) found.push(Number(entry.name));
    } catch {
      // Gone meanwhile.
    }
  }
  return found;
}

async function assertNothingLeft({ directory, pid }: Standin): Promise<void> {
  const left = () => [
    ...processesOf(directory),
    ...(existsSync(directory) ? [directory] : []),
    ...(existsSync(`/proc/${pid}/cmdline`) && Deno.readTextFileSync(`/proc/${pid}/cmdline`) ? [pid] : []),
  ];
  for (let waited = 0; left().length && waited < 5000; waited += 50) await pause(50);
  assertEquals(left(), []);
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

const linux = Deno.build.os === "linux";

Deno.test({ name: "kill -9 of the stand-in leaves nothing behind", ignore: !linux }, async () => {
  const standin = await startStandin([...local, "run", "--", ...report]);
  assert(processesOf(standin.directory).length >= 3, "Postgres, the command, the keeper");
  Deno.kill(standin.pid, "SIGKILL");
  await standin.process.status;
  await assertNothingLeft(standin);
});

Deno.test({ name: "kill -9 of its whole process group leaves nothing behind", ignore: !linux }, async () => {
  const standin = await startStandin([...local, "run", "--", ...report]);
  Deno.kill(-standin.process.pid, "SIGKILL");
  await standin.process.status;
  await assertNothingLeft(standin);
});

// `sh -c` becomes a single command itself, and waits for the first of several.
for (const [between, more] of [["", ""], [" through a waiting shell", "; true"]]) {
  Deno.test(
    { name: `kill -9 of an npm that started it${between} leaves nothing behind`, ignore: !linux },
    async () => {
      const script = [...local, "run", "--", ...report].map((word) => `'${word}'`).join(" ") + more;
      const likeNpm = `await new Deno.Command("sh", { args: ["-c", ${
        JSON.stringify(script)
      }] }).spawn().status`;
      const standin = await startStandin([deno, "eval", likeNpm]);
      Deno.kill(standin.process.pid, "SIGKILL");
      await standin.process.status;
      await assertNothingLeft(standin);
    },
  );
}

Deno.test({
  name: "what a killed stand-in and its killed keeper left is swept by the next start",
  ignore: !linux,
}, async () => {
  const standin = await startStandin([...local, "run", "--", ...report]);
  const keeper = processesOf(standin.directory).find((pid) =>
    Deno.readTextFileSync(`/proc/${pid}/cmdline`).includes("keeper.sh")
  );
  Deno.kill(keeper!, "SIGKILL");
  Deno.kill(standin.pid, "SIGKILL");
  await standin.process.status;
  assert(existsSync(standin.directory));
  assertEquals(
    (await new Deno.Command(deno, { args: [...local.slice(1), "run", "--", "true"] }).output()).code,
    0,
  );
  await assertNothingLeft(standin);
});

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  Deno.test({ name: `${signal} to the process group ends it in order`, ignore: !linux }, async () => {
    const standin = await startStandin([...local, "run", "--", ...report]);
    Deno.kill(-standin.process.pid, signal);
    const { code } = await standin.process.status;
    assertEquals(code, signal === "SIGINT" ? 130 : 143);
    await assertNothingLeft(standin);
  });

  Deno.test({ name: `${signal} to the stand-in alone reaches the command`, ignore: !linux }, async () => {
    const trap = `trap 'exit 42' ${
      signal.slice(3)
    }; echo "$LOCAL_SUPABASE_RUN $SUPABASE_URL $PPID"; while :; do sleep 0.1; done`;
    const standin = await startStandin([...local, "run", "--", "sh", "-c", trap]);
    Deno.kill(standin.pid, signal);
    assertEquals((await standin.process.status).code, 42);
    await assertNothingLeft(standin);
  });
}

Deno.test({ name: "a signal while it starts leaves nothing behind", ignore: !linux }, async () => {
  for (const wait of [60, 300, 1200]) {
    const directory = await Deno.makeTempDir();
    await Deno.chmod(directory, 0o711);
    const child = new Deno.Command(local[0]!, {
      args: [...local.slice(1), "run", "--", "sleep", "300"],
      env: { TMPDIR: directory },
      stdout: "null",
      stderr: "null",
      detached: true,
    }).spawn();
    await pause(wait);
    child.kill("SIGINT");
    assertEquals((await child.status).code, 130);
    for (let waited = 0; processesOf(directory).length && waited < 5000; waited += 50) await pause(50);
    assertEquals([processesOf(directory), [...Deno.readDirSync(directory)]], [[], []]);
    await Deno.remove(directory);
  }
});

Deno.test("two run side by side", async () => {
  const standins = await Promise.all([1, 2].map(() => startStandin([...local, "run", "--", ...report])));
  const [first, second] = standins as [Standin, Standin];
  assert(first.url !== second.url && first.directory !== second.directory);
  Deno.kill(first.pid, "SIGTERM");
  await first.process.status;
  const answer = await fetch(second.url);
  await answer.body?.cancel();
  assertEquals(answer.status, 404);
  assert(existsSync(join(second.directory, "data/postmaster.pid")));
  Deno.kill(second.pid, "SIGTERM");
  await second.process.status;
  for (const standin of standins) await assertNothingLeft(standin);
});

Deno.test("the command's exit status is the stand-in's", async () => {
  const { code } = await new Deno.Command(deno, {
    args: [...local.slice(1), "run", "--", "sh", "-c", "exit 7"],
  })
    .output();
  assertEquals(code, 7);
});

Deno.test("wrong arguments are told what to do and end with status 2", async () => {
  const cases: [string[], RegExp][] = [
    [[], /Say what to do/],
    [["begin"], /There is no "begin"/],
    [["run"], /Say which command to run/],
    [["run", "npm", "test"], /Put "--" before the command: run -- npm test/],
    [["start", "--port", "many"], /--port needs a number/],
    [["start", "--prot", "1"], /There is no option "--prot"/],
  ];
  for (const [args, message] of cases) {
    const { code, stderr } = await new Deno.Command(deno, { args: [...local.slice(1), ...args] }).output();
    assertEquals(code, 2);
    assertMatch(new TextDecoder().decode(stderr), message);
  }
});

Deno.test("a port that is taken is named", async () => {
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const args = [...local.slice(1), "start", "--port", String(taken.addr.port)];
  const { code, stderr } = await new Deno.Command(deno, { args }).output();
  assertEquals(code, 1);
  assertMatch(new TextDecoder().decode(stderr), new RegExp(`Port ${taken.addr.port} is taken`));
});
