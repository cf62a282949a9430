// Writes what the migrations make to operate/doctor/catalogue.json, after one was changed: npm run catalogue
import { readCatalogue, toFile } from "../../operate/doctor/catalogue.ts";
import { connect } from "../support/stack.ts";

const sql = connect();
const entries = await sql.begin((tx) => readCatalogue(tx));
await sql.end();
const path = new URL("../../operate/doctor/catalogue.json", import.meta.url);
await Deno.writeTextFile(path, JSON.stringify(toFile(entries), null, 2) + "\n");
console.log(`${entries.length} entries`);
