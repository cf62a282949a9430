/** The certificate as a sheet of paper. */
import {
  bytesText,
  type Certificate,
  type CustodyRecord,
  detailsText,
  eventText,
  longTime,
  shortTime,
  whoText,
} from "./certificate-words.ts";
import { h } from "./dom.ts";

export function certificateSheet(certificate: Certificate): HTMLElement {
  const { file, municipality, log, checkpoint, records, issued_by, wording } = certificate;
  const differs = file.declared_sha256 !== null && file.sha256 !== null &&
    file.declared_sha256 !== file.sha256;
  return h(
    "article",
    { class: "certificate", "aria-labelledby": "certificate-title" },
    h("p", { class: "issuer" }, municipality.name),
    h("h1", { id: "certificate-title", tabindex: -1 }, "Certificate of electronic evidence"),
    h(
      "p",
      {},
      `${wording.purpose}. All times are South African Standard Time (UTC+02:00).`,
    ),
    !log.intact && warning(
      "The records were tampered with",
      `Record ${log.first_fault?.seq ?? "not known"}: ${log.first_fault?.problem ?? "not known"}. ` +
        "Do not rely on this certificate before it has been looked into.",
    ),
    file.sha256 === null && warning(
      "The SHA-256 is not known yet",
      "The file was uploaded a moment ago. Issue the certificate again in a few minutes.",
    ),
    differs && warning(
      "Not the file that was announced",
      "The browser that uploaded it had announced another SHA-256, given below. Ask who uploaded it.",
    ),
    section(
      "The file",
      facts([
        ["Ticket", certificate.tracking_number ?? "None"],
        ["Name", file.filename],
        ["SHA-256", file.sha256 === null ? "Not known yet" : grouped(file.sha256)],
        ...differs ? [["Announced", grouped(file.declared_sha256!)] as Fact] : [],
        ["Size", bytesText(file.file_size)],
        ["Type", file.content_type],
        ["Source", sourceText(file)],
        ["Received", longTime(file.received_at)],
        ["Stored", longTime(file.stored_at)],
        ["Kept as", `${file.bucket}/${file.path}`],
        ["File id", file.file_id],
      ]),
      h(
        "p",
        { class: "quiet" },
        "A copy is this file if its SHA-256 is the same: ",
        h("code", {}, "sha256sum FILE"),
        " (Linux), ",
        h("code", {}, "certutil -hashfile FILE SHA256"),
        " (Windows).",
      ),
    ),
    history(records, file.file_id),
    section(
      "The log of records",
      facts([
        [
          "State",
          log.intact
            ? `Intact when issued: this file's records are as they were made. Whole log last audited: ${
              longTime(log.audited_at)
            }`
            : "Not intact",
        ],
        ["Records", `${log.size} in the municipality's log`],
        ["Its root", grouped(log.root)],
        [
          "Checkpoint",
          checkpoint
            ? `Signed at ${checkpoint.size} records, ${longTime(checkpoint.created_at)}${
              checkpoint.timestamps.map(({ authority, stamped_at }) =>
                `; stamped by ${authority}, ${longTime(stamped_at)}`
              ).join("")
            }`
            : "None yet",
        ],
      ]),
      h(
        "p",
        { class: "quiet" },
        "The root stands for every record of the municipality up to this size: none can be changed, removed or added before it without changing the root. Keep both: they show later whether the log is still the same.",
      ),
    ),
    section(
      "Issue and signature",
      facts([
        ["Issued", longTime(certificate.issued_at)],
        ["Issued by", `${whoText(issued_by.role)}, user ${issued_by.user_id}`],
        ...issued_by.name || issued_by.office
          ? [["To be signed by", [issued_by.name, issued_by.office].filter(Boolean).join(", ")] as Fact]
          : [],
      ]),
      h(
        "p",
        {},
        wording.declaration,
      ),
      h(
        "dl",
        { class: "signature" },
        ...["Name and position", "Signature", "Date"].map((what) => h("div", {}, h("dt", {}, what), h("dd"))),
      ),
    ),
  );
}

type Fact = [name: string, value: string | Node];

function facts(all: Fact[]): HTMLElement {
  return h(
    "dl",
    { class: "facts" },
    ...all.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))),
  );
}

function section(title: string, ...content: HTMLElement[]): HTMLElement {
  return h("section", {}, h("h2", {}, title), ...content);
}

function warning(title: string, text: string): HTMLElement {
  return h("div", { class: "certificate-warning", role: "alert" }, h("h2", {}, title), h("p", {}, text));
}

/** In groups for the eye; copied, it is one word. */
function grouped(hash: string): HTMLElement {
  return h("code", { class: "groups" }, ...hash.match(/.{1,8}/g)!.map((group) => h("span", {}, group)));
}

function sourceText({ source, message_sid, media_index }: Certificate["file"]): string {
  return source === "whatsapp"
    ? `WhatsApp, message ${message_sid}, medium ${(media_index ?? 0) + 1}`
    : "Upload in the dashboard";
}

/** Hashes in short until asked for; on paper always whole. */
function history(records: CustodyRecord[], fileId: string): HTMLElement {
  const whole = h("button", {
    type: "button",
    "aria-pressed": "false",
    click: () => {
      const pressed = whole.ariaPressed !== "true";
      whole.ariaPressed = String(pressed);
      table.classList.toggle("whole", pressed);
    },
  }, "Full hashes");
  const head = ["No.", "Time", "What happened", "Who", "Hash"].map((name) => h("th", { scope: "col" }, name));
  const table = h(
    "table",
    { class: "history" },
    h("colgroup", {}, ...head.map(() => h("col"))),
    // On paper, at the top of each page that it goes on to.
    h(
      "thead",
      {},
      h("tr", { class: "paper" }, h("td", { colspan: 5 }, `File ${fileId}`)),
      h("tr", {}, ...head),
    ),
    ...records.map(historyRow),
  );
  return section("What happened to it", whole, table);
}

function historyRow(record: CustodyRecord): HTMLElement {
  const details = detailsText(record);
  return h(
    "tbody",
    {},
    h(
      "tr",
      {},
      h("th", { scope: "row" }, String(record.seq)),
      h("td", {}, shortTime(record.recorded_at)),
      h(
        "td",
        {},
        h("strong", {}, eventText(record.event)),
        details !== "" && h("span", { class: "quiet" }, details),
      ),
      h(
        "td",
        {},
        ...record.user_id === null ? ["System"] : [
          whoText(record.user_role),
          h("span", { class: "quiet" }, record.user_id),
        ],
      ),
      h(
        "td",
        {},
        h("code", { class: "short" }, `${record.hash.slice(0, 12)}…`),
        h("code", { class: "full" }, record.hash),
      ),
    ),
  );
}
